"""What the kiosk has on its disk, read beside the running daemon: its actions, and its own view of a patient."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from kiosk.store import outbox_bodies, patients
from kiosk.store.sqlite import peek
from sync.journey.model import Journey

PENDING, NEEDS_STAFF, SUPERSEDED = "pending", "needs_staff", "superseded"


@dataclass(frozen=True)
class Row:
    """An action of the outbox. `sent_patient_id` is the patient in its body, `patient_id` whose it is now."""

    action_id: str
    action_type: str
    patient_id: str
    sent_patient_id: str
    status: str
    code: str | None
    queue_number: str
    at_ms: int


@dataclass(frozen=True)
class View:
    """A patient as this kiosk knows them."""

    patient_id: str
    journey: Journey
    provisional: bool
    rows: tuple[Row, ...]

    @property
    def pending(self) -> int:
        """How many actions the centre has not judged."""
        return sum(row.status == PENDING for row in self.rows)

    def has(self, status: str) -> bool:
        """Whether an action has this verdict."""
        return any(row.status == status for row in self.rows)


def rows(database: Path) -> list[Row]:
    """Every action of the kiosk, oldest first."""
    with peek(database) as db:
        found = db.execute("select * from outbox order by epoch, seq").fetchall()
    made = []
    for row in found:
        body = outbox_bodies.read(row)
        assert body is not None, row["action_id"]
        names = ("action_id", "action_type", "patient_id")
        made.append(
            Row(
                *(row[name] for name in names),
                body.patient_id,
                row["status"],
                row["code"],
                body.queue_number,
                row["applied_ms"],
            )
        )
    return made


def view(database: Path, patient_id: str) -> View | None:
    """A patient, with their actions; None where the kiosk does not know the id."""
    with peek(database) as db:
        patient = patients.read(db, patient_id)
    if patient is None:
        return None
    mine = tuple(row for row in rows(database) if row.patient_id == patient_id)
    return View(patient_id, patient.view, patient.provisional, mine)


def same(one: View | None, other: View | None) -> bool:
    """Whether two looks found the same."""
    return msgspec.json.encode(one) == msgspec.json.encode(other)
