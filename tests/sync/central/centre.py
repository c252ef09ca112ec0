"""A centre for tests: a hospital with many patients, and a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from sync.central import centre as central
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.opening import open_centre
from sync.central.operations.catalog import operations
from sync.central.records import tokens
from sync.central.records.visit_tokens import open_visit
from sync.central.services.answers import Answer
from sync.central.services.current_state import read_current_state
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.told import Told
from sync.clock import local_ms
from sync.ids import new_id
from sync.journey.model import PATIENT, STAFF, Actor, Role
from sync.visit_secret import hash_of_secret, make_secret
from tests.sync.central.databases import Database

ZONE = "Asia/Seoul"
DAY = "2026-03-02"


@dataclass
class Clock:
    """The one true time of a test (UTC ms)."""

    now_ms: int = local_ms(DAY, "09:00", ZONE)

    def __call__(self) -> int:
        return self.now_ms

    def set(self, day: str, time_of_day: str) -> None:
        self.now_ms = local_ms(day, time_of_day, ZONE)


def card(number: int) -> str:
    """The UID of a patient's card."""
    return f"04c0ffee00{number:04x}"


def hospital(day: str, patients: int) -> dict[str, Any]:
    """A hospital document: each patient is booked for two exams, except each fifth patient."""
    numbers = range(1, patients + 1)
    return {
        "site": {"name": "Test hospital", "desk": "desk", "timezone": ZONE},
        "exams": [
            {"exam_id": "desk", "title": "Desk", "public_label": "Reception", "room": "0", "minutes": 3},
            {"exam_id": "blood", "title": "HIV test", "public_label": "Blood test", "room": "1", "minutes": 5},
            {"exam_id": "xray", "title": "Chest X-ray", "public_label": "Imaging", "room": "2", "minutes": 8},
            {"exam_id": "sleep", "title": "Sleep study", "public_label": "Ward", "room": "9", "overnight": True},
        ],
        "patients": [
            {"patient_id": patient(n), "name": f"환자{n:02d}", "cards": [card(n)], "birth_date": "1970-01-01"}
            for n in numbers
        ],
        "appointments": [
            {
                "appointment_id": f"{day}-{patient(n)}-{exam}",
                "patient_id": patient(n),
                "exam_id": exam,
                "scheduled_at": f"{day}T{at}",
            }
            for n in numbers
            if n % 5
            for exam, at in (("blood", "09:30"), ("xray", "10:30"))
        ],
    }


def patient(number: int) -> str:
    return f"P{number:02d}"


def take_document(parts: central.Centre, document: dict[str, Any]) -> dict[str, int]:
    """Imports a small document in one transaction: the counts of what it changed. Raises DocumentError."""
    with parts.store.write() as db:
        report = take_hospital(db, parts.definitions, parts.keys, read_hospital(document), parts.clock())
    return dict(msgspec.to_builtins(report))


@dataclass
class Centre:
    """The centre over a real file; `parts` is the product's own record of it."""

    directory: Path
    clock: Clock = field(default_factory=Clock)
    patients: int = 20
    filled: bool = True
    database: Database | None = None

    def __post_init__(self) -> None:
        self.database = self.database or Database(f"sqlite:///{self.directory}/centre.db")
        self.url = self.database.url
        self.open()
        if self.filled:
            self.take(hospital(DAY, self.patients))

    def open(self) -> None:
        """Opens the database, as a start of the service does."""
        opened = open_centre(self.url, state_dir=self.database.state_dir, direct=self.database.direct)
        self.parts = replace(opened, clock=self.clock)
        self.store = self.parts.store

    def do(self, op: str, **arguments: object) -> Any:
        """An operation of the command line."""
        return operations(self.parts)[op](arguments)

    def take(self, document: dict[str, Any]) -> dict[str, int]:
        """Imports a small document: the counts of what it changed."""
        return take_document(self.parts, document)

    def act(
        self,
        patient_id: str,
        action_type: str,
        actor: Actor = PATIENT,
        action_id: str | None = None,
        **payload: object,
    ) -> Answer:
        """An action as over REST, by a call of the service."""
        ask = ActionRequest(action_type, action_id or new_id(), payload)
        return perform(self.parts, Requester(actor, actor.role, "rest"), patient_id, ask)

    def walk(self, patient_id: str, *actions: str) -> dict[str, Any]:
        """Several actions one after the other, each by a sender who may do it. Returns the state after them."""
        for action_type in actions:
            by_patient = action_type in self.parts.definitions.actions_by("patient")
            answer = self.act(patient_id, action_type, PATIENT if by_patient else STAFF)
            assert answer.done, (action_type, answer.body)
        return self.state(patient_id)

    def state(self, patient_id: str, actor: Actor = PATIENT) -> dict[str, Any]:
        """The current state as JSON values."""
        current = read_current_state(self.parts, actor, patient_id)
        assert isinstance(current, Told)
        return dict(msgspec.to_builtins(current.value))

    def rows(self, sql: str, **parameters: object) -> list[dict[str, Any]]:
        """The rows of a query."""
        with self.store.read() as db:
            return [dict(row) for row in db.rows(sql, **parameters)]

    def token(self, role: Role, patient_id: str | None = None, **more: Any) -> str:
        with self.store.write() as db:
            return tokens.issue(db, role, self.clock(), patient_id=patient_id, **more)

    def visit_secret(self, patient_id: str) -> str:
        """A secret to which the patient's visit is open, as after the verdict on a kiosk's action."""
        secret = make_secret()
        (row,) = self.rows("select visit_id from journeys where patient_id = :id", id=patient_id)
        with self.store.write() as db:
            open_visit(db, hash_of_secret(secret), new_id(), patient_id, row["visit_id"], self.clock())
        return secret
