"""A small hospital whose patients bear marks, so that a test sees of whom an answer tells."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync.central.records.cases import BOOKING_MOVED, NewCase, open_case
from sync.central.services.access_log import write_tallies
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.box import Box
from tests.sync.central.centre import DAY, ZONE, Centre
from tests.sync.central.online import Online

ANNA, BORIS, CLARA, DORA = "MARK-ANNA", "MARK-BORIS", "MARK-CLARA", "MARK-DORA"
CARDS = {ANNA: "04c0ffee000001", BORIS: "04c0ffee000002", CLARA: "04c0ffee000003"}
STRANGE_CARD = "04c0ffee000009"
NAMES = {ANNA: "Quixandra Zwx", BORIS: "Vexborough Kzz", CLARA: "Jubilexia Wqq", DORA: "Xylophane Vjj"}
# What names a patient, or something that is one patient's alone. Ids of actions and cases are the asker's own.
_MARKS = frozenset(
    {"patient_id", "alias_id", "name", "masked_name", "binding_id", "appointment_id", "visit_id", "queue_id"}
    | {"queue_number"}
)
_NO_MARKS = frozenset({"tokens", "audit", "actions"})  # tables whose `name` is no patient's, or that hold copies


def document() -> dict[str, Any]:
    """Anna and Boris are booked, Clara has a card alone, Dora has nothing."""
    exams = [
        {"exam_id": "desk", "title": "Desk", "public_label": "Reception", "room": "0"},
        {"exam_id": "xray", "title": "Chest X-ray", "public_label": "Imaging", "room": "2"},
    ]
    people = [
        {"patient_id": each, "name": name, **({"cards": [CARDS[each]]} if each in CARDS else {})}
        for each, name in NAMES.items()
    ]
    bookings = [
        {"appointment_id": f"BOOKING-{each}", "patient_id": each, "exam_id": "xray", "scheduled_at": f"{DAY}T09:30"}
        for each in (ANNA, BORIS)
    ]
    site = {"name": "Marked hospital", "desk": "desk", "timezone": ZONE, "ticket_prefix": "QNR"}
    return {"site": site, "exams": exams, "patients": people, "appointments": bookings}


@dataclass
class Marked:
    """The centre with its marked patients: Anna waits in the line, and there are cases about her and Boris."""

    directory: Path
    centre: Centre = field(init=False)
    cases: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.centre = Centre(self.directory, filled=False)
        self.centre.take(document())
        self.centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival")
        self.queue_id = self.state_of(ANNA)["queue_details"][0]["queue_id"]
        self.binding_id = self.value("select binding_id from bindings where patient_id = :id", ANNA)
        self.cases[ANNA] = new_id()
        detail = {"appointment_id": "of-another-day", "queue_id": self.queue_id, "patient_ids": [BORIS]}
        with self.centre.store.write() as db:
            case = NewCase(BOOKING_MOVED, None, detail, ANNA)
            open_case(db, self.cases[ANNA], case, self.centre.clock())
        self.forget()

    def state_of(self, patient_id: str) -> dict[str, Any]:
        return self.centre.state(patient_id)

    def value(self, sql: str, patient_id: str) -> Any:
        (row,) = self.centre.rows(sql, id=patient_id)
        return next(iter(row.values()))

    def forget(self) -> None:
        """No look is recent, and no row is older than this."""
        self.centre.parts = type(self.centre.parts)(
            self.centre.store, self.centre.parts.keys, self.centre.parts.definitions, self.centre.clock
        )
        with self.centre.store.write() as db:
            db.execute("delete from audit")

    def marks(self) -> dict[str, str]:
        """The patient whom each text of the database is about."""
        found: dict[str, str] = {}
        tables = self.centre.rows("select name from sqlite_master where type = 'table'")
        for table in (str(row["name"]) for row in tables):
            for row in self.centre.rows(f"select * from {table}") if table not in _NO_MARKS else []:
                if row.get("patient_id"):
                    texts = (str(row[name]) for name in _MARKS & row.keys() if row[name])
                    found |= dict.fromkeys(texts, row["patient_id"])
        return found

    def told(self, text: str, marks: dict[str, str]) -> set[str]:
        """The patients whose marks a text holds."""
        return {patient_id for mark, patient_id in marks.items() if mark in text}

    def noted(self) -> dict[str, set[str]]:
        """The patients whom the rows of the access log name, by the bearer."""
        found: dict[str, set[str]] = {}
        for row in self.centre.rows("select who, patient_id, detail from audit where kind like 'look:%'"):
            named = [row["patient_id"]] if row["patient_id"] else json.loads(row["detail"])["patient_ids"]
            found.setdefault(row["who"], set()).update(named)
        return found


class MarkedOnline(Marked):
    """The same centre on a port, with a member of staff and a kiosk."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.online = Online(self.directory, centre=self.centre)
        self.nurse = self.centre.token(Role.STAFF, name="Nurse")
        self.box = Box(self.online)
        verdict = self.box.push(BORIS, "register", journey_state="ARRIVED")
        (case,) = self.centre.rows("select exception_id from exceptions where action_id = :id", id=verdict["action_id"])
        self.cases[BORIS] = case["exception_id"]
        quarantined = self.box.push(CLARA, "scan_nfc", leg=-1)
        (case,) = self.centre.rows("select exception_id from exceptions where code = 'quarantined'")
        assert quarantined["code"] == "quarantined"
        self.cases[CLARA] = case["exception_id"]
        self.look_again()

    def look_again(self) -> None:
        """No look is recent, for the server either."""
        self.centre.clock.now_ms += 11 * 60_000
        with self.centre.store.write() as db:
            db.execute("delete from audit")

    def visit_secret(self) -> str:
        """The secret of Anna's visit."""
        return self.centre.visit_secret(ANNA)

    def write_tallies(self) -> None:
        """As the background of the service does every few seconds."""
        write_tallies(self.centre.parts)

    def close(self) -> None:
        self.online.close()
