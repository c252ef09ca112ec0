"""A centre as a process of its own, an app of another origin, and a page of that app in Chromium."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, WebSocket

from sync.clock import site_day
from sync.control import ask, socket_path
from sync.ids import new_id
from sync.protocol import EnrolRequest, canonical
from tests.kiosk.ui.browser import PATIENCE_MS
from tests.sync.central.centre import ZONE, hospital, patient
from tests.sync.central.online import PATIENCE_S
from tests.sync.central.test_server import Process
from tests.sync.client.app import AppServer
from tests.sync.client.relay import Relay

PATIENTS = 100
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")


class LiveCentre:
    """`kiosk-central run` with a hospital. Each test takes patients of its own."""

    def __init__(self, directory: Path, origin: str) -> None:
        self.process = Process(directory, 0, "--allow-origin", origin)
        document = directory / "hospital.json"
        today = site_day(time.time_ns() // 1_000_000, ZONE, "04:00")
        document.write_text(json.dumps(hospital(today, PATIENTS)), "utf-8")
        self.process.command("import", str(document))
        self._numbers = (number for number in range(1, PATIENTS + 1) if number % 5)  # those with bookings
        self._staff = self._ask("token", role="staff", name="ward")["token"]

    def newcomer(self) -> tuple[str, str]:
        """A patient with bookings whom no test has used yet, and their token."""
        number = next(self._numbers)
        return patient(number), self._ask("token", role="patient", patient_id=patient(number))["token"]

    def act(self, patient_id: str, *actions: str) -> dict[str, Any]:
        """Does actions for a patient, as staff. Returns the state after them."""
        for action in actions:
            answer = requests.post(
                f"http://{self.process.address}/api/v1/patient-journey/perform-action/",
                headers={"Authorization": f"Bearer {self._staff}"},
                json={"action_type": action, "action_id": new_id(), "payload": {"patient_id": patient_id}},
                timeout=PATIENCE_S,
            )
            assert answer.ok, answer.text
        return dict(answer.json())

    def history(self, patient_id: str) -> list[str]:
        """The actions that were done for a patient, oldest first."""
        answer = requests.get(
            f"http://{self.process.address}/api/v1/patients/{patient_id}/history/",
            headers={"Authorization": f"Bearer {self._staff}"},
            timeout=PATIENCE_S,
        )
        return [each["action"] for each in answer.json()["transitions"]]

    def revoke(self, token: str) -> None:
        """Ends a token."""
        self._ask("token-revoke", token=token)

    def kiosk_token(self) -> str:
        """The token of a new kiosk."""
        request = EnrolRequest(code=self._ask("enroll-code")["code"])
        url = f"http://{self.process.address}/api/v1/kiosks/enroll"
        return str(requests.post(url, data=canonical(request), timeout=PATIENCE_S).json()["token"])

    def close(self) -> None:
        self.process.process.terminate()
        self.process.process.communicate()

    def _ask(self, operation: str, **arguments: object) -> Any:
        return ask(socket_path(self.process.path), operation, **arguments)


class AppPage:
    """A page of the app. `complaints` are the browser's errors and warnings, without those of cut connections.

    `heard` are the messages of its sockets. With `clock` the test moves the browser's clock.
    """

    def __init__(self, browser: Browser, url: str, settings: dict[str, Any], *, clock: bool = False) -> None:
        self.context = browser.new_context()
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.heard: list[dict[str, Any]] = []
        self.page.on("console", lambda message: message.type in ("error", "warning") and self._complain(message.text))
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        self.page.on("websocket", self._listen)
        if clock:
            self.page.clock.install()
        self.page.add_init_script(f"window.settings = {json.dumps(settings)}")
        self.page.goto(url)

    def do(self, script: str, *arguments: Any) -> Any:
        """Runs a function of the page, and returns its value."""
        return self.page.evaluate(script, *arguments)

    def until(self, condition: str) -> None:
        """Waits until an expression is true in the page."""
        self.page.wait_for_function(condition)

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Waits until a condition of the test holds. The test's own time limit ends it."""
        while not true():
            self.page.wait_for_timeout(10)

    def pass_time_until(self, true: Callable[[], bool]) -> None:
        """Lets the time of the page pass until a condition of the test holds."""
        while not true():
            self.page.clock.run_for(500)

    def close(self) -> None:
        assert self.complaints == []
        self.context.close()

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda text: self.heard.append(json.loads(text)))

    def _complain(self, text: str) -> None:
        if not any(known in text for known in ("net::ERR_", "WebSocket connection to", "responded with a status of")):
            self.complaints.append(text)


@pytest.fixture(scope="session")
def app() -> Iterator[AppServer]:
    made = AppServer()
    yield made
    made.close()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, app: AppServer) -> Iterator[LiveCentre]:
    made = LiveCentre(tmp_path_factory.mktemp("live"), app.origin)
    yield made
    made.close()


@pytest.fixture
def relay(live: LiveCentre) -> Iterator[Relay]:
    made = Relay(live.process.port)
    yield made
    made.close()
