"""Where a patient stands, as far as this kiosk knows: all that a screen tells of them."""

import sqlite3
from dataclasses import dataclass

from kiosk.journey import adopt as adoption
from kiosk.journey.moment import TransactionContext
from kiosk.journey.outcomes import Reversal, outcomes
from kiosk.store import patients as roster
from kiosk.store.patients import Patient
from sync.journey.model import Journey
from sync.journey.rules import available_actions, people_ahead


@dataclass(frozen=True, slots=True)
class PatientStatus:
    """One patient at one moment. The people ahead and the minutes are those of each place in line, by its id."""

    patient: Patient
    journey: Journey
    available: tuple[str, ...]
    pending: int
    needs_staff: bool
    reversals: tuple[Reversal, ...]  # accepted here, decided otherwise at the centre, and not seen yet
    people_ahead: dict[str, int]
    wait_minutes: dict[str, int]


def read_patient_status(db: sqlite3.Connection, now: TransactionContext, patient: Patient) -> PatientStatus:
    """Where that patient stands at that moment."""
    patient = adoption.shown(db, now, patient)
    journey = now.journey(patient)
    done = outcomes(db, now, journey)
    listed = [entry for entry in journey.entries if entry.state in now.definitions.listed]
    lines = [(entry, roster.line_of(db, entry.exam_id, now.today)) for entry in listed]
    ahead = {entry.queue_id: people_ahead(now.definitions, line, entry) for entry, line in lines}
    return PatientStatus(
        patient,
        journey,
        available_actions(now.definitions, journey, now.actor),
        done.pending,
        done.needs_staff,
        done.reversals,
        {str(queue_id): count for queue_id, count in ahead.items()},
        {str(entry.queue_id): ahead[entry.queue_id] * entry.minutes for entry in listed},
    )
