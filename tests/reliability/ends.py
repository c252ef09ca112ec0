"""The two ends of a wire under test: a real centre as a process, and a kiosk without its screen."""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kiosk.demo import hospital
from kiosk.demo.hospital import Places
from kiosk.store.sqlite import Store
from sync.agent.client import Accepted, CentralClient
from sync.agent.cycle import Agent
from sync.cards import CardHash, canonical_card
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import EnrolRequest
from tests.commands import central_command
from tests.kiosk.parts import KioskParts

STEPS = ("scan_nfc", "register", "confirm_arrival")


def uid(number: int) -> str:
    """The UID of the n-th invented card, in hex."""
    return f"04{number:012x}"


class Centre:
    """The real `kiosk-central run` on a database of its own. Each of its patients has a card and a booking."""

    def __init__(self, directory: Path, patients: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.places = Places(directory, hospital.free_port(), hospital.free_port())
        document = directory / "hospital.json"
        document.write_text(json.dumps(_hospital(patients)), "utf-8")
        central_command(self.places, "import", str(document))
        self.start()

    def start(self) -> None:
        self.launch()
        self.program.await_health()

    def launch(self) -> None:
        """Starts the process, and does not wait until it serves. The process ends with the thread that starts it: use
        the main thread."""
        self.program = hospital.start_central(self.places)

    def enrol_code(self) -> str:
        return central_command(self.places, "enroll-code").strip()

    def effects(self) -> Counter[str]:
        """The number of each action's entries in the history of journeys."""
        return Counter(self._column("select action_id from transitions where action_id is not null"))

    def verdicts(self) -> Counter[str]:
        """The number of verdicts of each kind."""
        return Counter(self._column("select verdict from verdicts"))

    def check(self) -> Any:
        """The result of `kiosk-central check`."""
        return json.loads(central_command(self.places, "check", "--json"))

    def _column(self, sql: str) -> list[Any]:
        path = self.places.directory / "central.db"
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return [row[0] for row in db.execute(sql)]
        finally:
            db.close()


class Impatient(random.Random):
    """Jitter that never waits long. The real jitter has its own tests."""

    def uniform(self, a: float, b: float) -> float:
        return min(super().uniform(a, b), 0.1)


class Kiosk:
    """The kiosk's real store, journey service and sync agent, in this process. `url` is the centre's address."""

    def __init__(self, directory: Path, url: str, code: str, deadline_s: float) -> None:
        self.store = Store(directory / "kiosk.db")
        self.parts = KioskParts(self.store)
        self.journeys, self.ledger = self.parts.journeys, self.parts.ledger
        client = CentralClient(url)
        answer = client.enrol(EnrolRequest(code=code, ticket_prefix="K"))
        client.close()
        assert isinstance(answer, Accepted), answer
        enrolment = answer.answer
        self.ledger.enrol(enrolment)
        self.keys = enrolment.card_keys
        self._url, self._token, self._deadline_s = url, enrolment.token, deadline_s
        self.agent = self.new_agent()

    def connect(self, url: str = "") -> CentralClient:
        """A client of the centre, at `url` where it is given."""
        return CentralClient(url or self._url, self._token, self._deadline_s)

    def new_agent(self, announce: Callable[[frozenset[PatientId]], object] = lambda touched: None) -> Agent:
        """An agent that is not started. Each agent can be started once."""
        return Agent(self.ledger, self.connect, announce, Impatient())

    def cards(self, number: int) -> tuple[CardHash, ...]:
        return self.keys.hashes(canonical_card("iso14443a", bytes.fromhex(uid(number))))

    def knows(self, number: int) -> bool:
        """Whether the roster holds that patient."""
        return self.parts.patient_of_card(self.cards(number)) is not None

    def check_in(self, number: int) -> tuple[str, ...]:
        """A person taps, and touches every button that is offered. Returns the ids of the acknowledged actions."""
        acted = self.journeys.tap(self.cards(number), STEPS[:1])
        assert acted is not None
        done = acted.action_ids
        for step in STEPS[1:]:
            acted = self.journeys.act(acted.patient_id, step, new_id(), {}, self.cards(number))
            assert acted.refusal is None
            done += acted.action_ids
        assert len(done) == len(STEPS)
        self.agent.push_soon()
        return done

    def statuses(self) -> Counter[str]:
        """The number of rows in the outbox with each status."""
        with self.store.read() as db:
            return Counter(row[0] for row in db.execute("select status from outbox"))

    def close(self) -> None:
        self.agent.stop()
        self.store.close()


PATIENTS_OF_AN_EXAM = 40


def _hospital(patients: int) -> dict[str, Any]:
    today = datetime.now(ZoneInfo("Asia/Seoul")).date().isoformat()
    return {
        "site": {"name": "푸른 병원", "desk": "DESK"},
        "exams": [
            {"exam_id": "DESK", "title": "Reception", "public_label": "접수", "room": "1"},
            *(
                {"exam_id": f"E{n}", "title": f"Exam {n}", "public_label": f"검사 {n}", "room": f"{n}"}
                for n in range(patients // PATIENTS_OF_AN_EXAM + 1)
            ),
        ],
        "patients": [{"patient_id": f"P{n}", "name": f"가나다{n}", "cards": [uid(n)]} for n in range(patients)],
        "appointments": [
            {
                "appointment_id": f"A{n}",
                "patient_id": f"P{n}",
                "exam_id": f"E{n // PATIENTS_OF_AN_EXAM}",
                "scheduled_at": f"{today}T23:00",
            }
            for n in range(patients)
        ],
    }
