"""Kiosks and patients' apps that act all the time, and an account of what the centre has acknowledged to them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import requests

from sync.ids import new_id
from tests.protocol.second_client import Refused, SecondClient

VISIT = ("scan_nfc", "register", "confirm_arrival")
REST_S = 0.25  # between two actions of one client
LONGEST_PAUSE_S = 2.0
PATIENCE_S = 30


@dataclass(slots=True)
class Load:
    """The clients, each in a thread of its own. `acknowledged` are the ids of the actions that an app was told of."""

    acknowledged: list[str] = field(default_factory=list)
    kiosks: list[SecondClient] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def add_kiosk(self, url: str, code: str, patient_ids: Sequence[str]) -> None:
        """A kiosk of the centre at a URL that checks these patients in, one after the other."""
        client = SecondClient(url)
        client.enrol(code)
        self.kiosks.append(client)
        self._begin(lambda: self._check_in(client, patient_ids))

    def add_app(self, url: str, tokens: Sequence[str]) -> None:
        """Apps of patients, of whom one acts at a time at the centre at a URL. Each has its patient's token."""
        self._begin(lambda: self._act_by_app(url, tokens))

    @property
    def answers(self) -> int:
        """How many actions were acknowledged so far, those of kiosks included."""
        return len(self.acknowledged) + sum(row["verdict"] is not None for each in self.kiosks for row in each.outbox)

    def end(self) -> None:
        """Lets each client end the action that it is at, and the kiosks send what they have. Raises their errors."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        for error in self.failures:
            raise error

    def _begin(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - `end()` raises it
                self.failures.append(error)

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()

    def _check_in(self, client: SecondClient, patient_ids: Sequence[str]) -> None:
        while self._pulls(client):
            pass
        for patient_id in patient_ids:
            for action_type in VISIT:
                if self._ended.wait(REST_S):
                    return
                number = {"queue_number": client.number()} if action_type == VISIT[-1] else {}
                client.act(action_type, patient_id, **number)
                self._send(client)
        raise AssertionError("all patients of a kiosk are through")

    def _pulls(self, client: SecondClient) -> bool:
        """Pulls a page. Returns whether there may be more."""
        try:
            return client.page()
        except Refused as refused:
            self._ended.wait(min(refused.retry_after_s, LONGEST_PAUSE_S))
            return True

    def _send(self, client: SecondClient) -> None:
        while (pause_s := client.push()) is not None:
            threading.Event().wait(min(pause_s, LONGEST_PAUSE_S))

    def _act_by_app(self, url: str, tokens: Sequence[str]) -> None:
        for token in tokens:
            for action_type in VISIT:
                if self._ended.wait(REST_S):
                    return
                self._press(url, token, action_type)
        raise AssertionError("all patients with an app are through")

    def _press(self, url: str, token: str, action_type: str) -> None:
        """One press, which an app repeats under its id until it is answered."""
        body = {"action_type": action_type, "action_id": new_id()}
        while True:
            with contextlib.suppress(requests.RequestException):
                answer = requests.post(
                    f"{url}/api/v1/patient-journey/perform-action/",
                    headers={"Authorization": f"Bearer {token}"},
                    json=body,
                    timeout=PATIENCE_S,
                )
                if answer.ok:
                    self.acknowledged.append(body["action_id"])
                    return
                assert answer.status_code == 503, answer.text
                assert answer.headers["Retry-After"]
            threading.Event().wait(0.2)
