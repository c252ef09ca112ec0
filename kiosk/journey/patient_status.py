"""A patient's status as this kiosk knows it: everything that a screen shows of the patient."""

import sqlite3
from dataclasses import dataclass

from kiosk.journey.outcomes import Reversal, read_outcomes
from kiosk.journey.transaction_context import TransactionContext
from kiosk.journey.views import with_todays_view
from kiosk.store import patients
from kiosk.store.patients import Patient
from sync.journey.model import Journey
from sync.journey.rules import available_actions, people_ahead


@dataclass(frozen=True, slots=True)
class PatientStatus:
    """One patient at one moment. `people_ahead` and `wait_minutes` hold a value per queue entry, by its id.
    `reversals` are accepted actions that the centre decided differently and the patient has not seen."""

    patient: Patient
    journey: Journey
    available: tuple[str, ...]
    pending: int
    needs_staff: bool
    reversals: tuple[Reversal, ...]
    people_ahead: dict[str, int]
    wait_minutes: dict[str, int]


def read_patient_status(db: sqlite3.Connection, context: TransactionContext, patient: Patient) -> PatientStatus:
    """Returns the status of a patient at the time of the context."""
    patient = with_todays_view(db, context, patient)
    journey = context.journey(patient)
    outcomes = read_outcomes(db, context, journey)
    listed = [entry for entry in journey.entries if entry.state in context.definitions.listed]
    lines = [(entry, patients.read_line(db, entry.exam_id, context.today)) for entry in listed]
    ahead = {entry.queue_id: people_ahead(context.definitions, line, entry) for entry, line in lines}
    return PatientStatus(
        patient,
        journey,
        available_actions(context.definitions, journey, context.actor),
        outcomes.pending,
        outcomes.needs_staff,
        outcomes.reversals,
        {str(queue_id): count for queue_id, count in ahead.items()},
        {str(entry.queue_id): ahead[entry.queue_id] * entry.minutes for entry in listed},
    )
