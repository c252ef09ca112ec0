"""A patient's status as this kiosk knows it: everything that a screen shows of the patient."""

import sqlite3
from collections.abc import Callable, Iterable

from msgspec import Struct

from kiosk.journey.outcomes import Act, Reversal, outcomes_of
from kiosk.journey.transaction_context import TransactionContext
from kiosk.journey.views import with_todays_view
from kiosk.store.patients import Patient
from sync.journey.model import Journey, NextExam, QueueEntry
from sync.journey.rules import available_actions, next_exam


class PatientStatus(Struct, frozen=True):
    """One patient at one moment. `people_ahead` and `wait_minutes` hold a value per queue entry, by its id.
    `awaited`: an action waits for the word of another system of the hospital. `reversals` are accepted actions that the
    centre decided differently and the patient has not seen. `next_exam` is what a confirmed arrival would be about;
    None for the walk-in desk."""

    patient: Patient
    journey: Journey
    available: tuple[str, ...]
    pending: int
    needs_staff: bool
    awaited: bool
    reversals: tuple[Reversal, ...]
    people_ahead: dict[str, int]
    wait_minutes: dict[str, int]
    next_exam: NextExam | None


def patient_status(
    db: sqlite3.Connection,
    context: TransactionContext,
    patient: Patient,
    acts: Iterable[Act],
    count_ahead: Callable[[QueueEntry, str], int],
) -> PatientStatus:
    """Returns the status of a patient with these acts at the time of the context.

    `count_ahead` says how many are before an entry in its line on a site day.
    """
    patient = with_todays_view(db, context, patient)
    journey = context.journey(patient)
    outcomes = outcomes_of(acts, context, journey)
    listed = [entry for entry in journey.entries if entry.state in context.definitions.listed]
    ahead = {entry.queue_id: count_ahead(entry, context.today) for entry in listed}
    return PatientStatus(
        patient,
        journey,
        available_actions(context.definitions, journey, context.actor),
        outcomes.pending,
        outcomes.needs_staff,
        outcomes.awaited,
        outcomes.reversals,
        {str(queue_id): count for queue_id, count in ahead.items()},
        {str(entry.queue_id): ahead[entry.queue_id] * entry.minutes for entry in listed},
        next_exam(context.definitions, journey),
    )
