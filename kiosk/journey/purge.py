"""The daily purge: the kiosk holds only the data that its screens need."""

import sqlite3

from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import audit, outbox, patient_aliases, patients, queue_numbers
from kiosk.store.patients import Patient
from sync.clock import DAY_MS

AUDIT_MS = 90 * DAY_MS  # how long audit rows stay
OUTBOX_ROWS = 100_000  # judged actions that no backup of the centre holds: months of a busy kiosk, and 150 MB
QUEUE_NUMBER_DAYS = 400


def purge_patient(db: sqlite3.Connection, context: TransactionContext, patient: Patient, today: str) -> None:
    """Forgets a patient of an earlier day, with nothing pending, who has nothing here today or later.

    `today` is the day of the centre's clock: a machine's clock that is far ahead would purge every patient.
    """
    journey = context.journey(patient, today)
    booked = journey.appointments or any(context.day_of(b.scheduled_ms) > today for b in patient.tomorrow)
    if journey.state == context.definitions.initial and not journey.entries and not booked:
        patients.forget(db, patient.patient_id)


def purge_old_rows(db: sqlite3.Connection, context: TransactionContext, now_ms: int) -> None:
    """Forgets old rows of the other tables. `now_ms` is the centre's clock (UTC ms)."""
    today = context.day_of(now_ms)
    audit.note_applied(db, outbox.forget_backed_up(db, today, OUTBOX_ROWS))
    audit.forget_before(db, now_ms - AUDIT_MS)
    queue_numbers.forget_old_days(db, QUEUE_NUMBER_DAYS)
    queue_numbers.forget_unused(db, today, now_ms)
    patient_aliases.forget_before(db, today)
