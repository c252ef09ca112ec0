"""A hospital of real processes for a test: centre, kiosk, and a wire between them that can be cut."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import Person, Places, Program, wait_for
from kiosk.demo.open_page import OpenPage
from kiosk.demo.wire import Wire
from sync.control import ask, socket_path
from sync.ids import new_id
from tests.commands import central_command, enrol

WAIT_S = 30.0


class Town:
    """Places, programs and people. `actions` are the kiosk's grants, `wire` makes the wire between kiosk and centre.
    `close()` stops everything."""

    def __init__(
        self,
        directory: Path,
        readers: list[str] | None = None,
        actions: Sequence[str] = (),
        wire: Callable[[str, int], Wire] = Wire,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.places = Places(directory, hospital.free_port(), hospital.free_port())
        self._running = ExitStack()
        self.central = hospital.start_central(self.places)
        self.central.await_health()
        self.wire = wire("127.0.0.1", self.places.central_port)
        hospital.write_config(self.places, self.through, readers or ["simulated"], actions)
        persons = hospital.fill(self.places)
        self.people: list[Person] = [person for person in persons if person.booked]
        self.unbooked: list[Person] = [person for person in persons if not person.booked]
        enrol(self.places, self.through, actions)
        self.kiosk: Program | None = None
        self.page = OpenPage(self.places)
        self.staff = requests.Session()
        self.staff.headers["Authorization"] = f"Bearer {self.token('staff', '--name', 'town')}"

    @property
    def through(self) -> str:
        """The centre's address through the wire."""
        return f"http://127.0.0.1:{self.wire.port}"

    def open(self) -> None:
        """Starts the kiosk and waits for its roster."""
        self.start_kiosk()
        self.await_online()

    def start_kiosk(self) -> None:
        self.kiosk = hospital.start_kiosk(self.places)
        self.kiosk.await_health()

    def start_central(self, *words: str) -> None:
        self.central = hospital.start_central(self.places, *words)
        self.central.await_health()

    def stop_central(self) -> None:
        self.staff.close()  # an open connection would delay the stop
        self.central.stop()

    def put_back(self, backup: Path) -> None:
        """Replaces the database of the stopped centre by a backup."""
        database = self.places.directory / "central.db"
        for ending in ("-wal", "-shm"):
            database.with_name(database.name + ending).unlink(missing_ok=True)
        shutil.copy(backup, database)

    def go_offline(self) -> None:
        """Cuts the wire and waits until the kiosk has noticed."""
        self.wire.cut()
        wait_for(lambda: not self.status()["online"], "the kiosk never noticed", WAIT_S)

    def close(self) -> None:
        if self.kiosk:
            self.kiosk.stop()
        self.wire.close()
        self.stop_central()

    def token(self, role: str, *words: str) -> str:
        return central_command(self.places, "token", "--role", role, *words).strip()

    # The kiosk's side.

    def ask(self, op: str, **arguments: object) -> Any:
        return ask(socket_path(self.places.directory / "kiosk.db"), op, **arguments)

    def tap(self, person: Person) -> None:
        hospital.hold_card(self.places, person.uid)

    def screen(self) -> Any:
        return self.page.screen()

    def press(self, person: Person, action: str, action_id: str | None = None, **payload: object) -> requests.Response:
        """Presses the button of the screen, with that person and that action in the request."""
        target = {"patient_id": person.patient_id, **payload}
        return self.page.press(self.screen() | {"patient": target}, action_id, action_type=action, payload=target)

    def check_in(self, person: Person) -> Any:
        """Taps, and presses every action that the screen offers. Returns the last screen."""
        self.tap(person)
        screen = self.screen()
        while screen["next_action"]:
            pressed = self.page.press(screen)
            assert pressed.ok, pressed.text
            screen = pressed.json()
        return screen

    def status(self) -> Any:
        return self.ask("status")

    def outbox(self) -> Any:
        return self.ask("outbox")

    def await_online(self) -> None:
        wanted = len(self.people)

        def there() -> bool:
            status = self.status()
            return bool(status["online"] and status["roster"]["patients"] >= wanted)

        wait_for(there, "the kiosk never came online with its roster", WAIT_S)

    def await_settled(self) -> None:
        wait_for(lambda: not self.status()["outbox"]["pending"], "the outbox never emptied", 2 * WAIT_S)

    # The centre's side.

    def state(self, person: Person) -> Any:
        answer = self.staff.get(
            f"{self.places.central_url}/api/v1/patient-journey/current-state/",
            params={"patient_id": person.patient_id},
            timeout=30,
        )
        assert answer.ok, answer.text
        return answer.json()

    def history(self, person: Person) -> list[Any]:
        url = f"{self.places.central_url}/api/v1/patients/{person.patient_id}/history/"
        answer = self.staff.get(url, timeout=30)
        assert answer.ok, answer.text
        rows: list[Any] = answer.json()["transitions"]
        return rows

    def perform(self, person: Person, action: str, **payload: object) -> requests.Response:
        return self.staff.post(
            f"{self.places.central_url}/api/v1/patient-journey/perform-action/",
            json={
                "action_type": action,
                "action_id": new_id(),
                "payload": {"patient_id": person.patient_id, **payload},
            },
            timeout=30,
        )

    def by_hand(self, person: Person, *actions: str) -> None:
        """Staff do these actions, one after the other."""
        for action in actions:
            answer = self.perform(person, action)
            assert answer.ok, answer.text

    def correct(self, person: Person, state: str, reason: str) -> None:
        answer = self.staff.post(
            f"{self.places.central_url}/api/v1/patients/{person.patient_id}/correct/",
            json={"state": state, "reason": reason},
            timeout=30,
        )
        assert answer.ok, answer.text

    def cases(self) -> list[Any]:
        """The exception inbox, oldest first."""
        answer = self.staff.get(f"{self.places.central_url}/api/v1/exceptions/", timeout=30)
        assert answer.ok, answer.text
        found: list[Any] = answer.json()["exceptions"]
        return found

    def settle(self, case: Any, how: str, reason: str = "") -> None:
        answer = self.staff.post(
            f"{self.places.central_url}/api/v1/exceptions/{case['exception_id']}/settle/",
            json={"how": how, "reason": reason},
            timeout=30,
        )
        assert answer.ok, answer.text

    def check(self) -> Any:
        return json.loads(central_command(self.places, "check", "--json"))
