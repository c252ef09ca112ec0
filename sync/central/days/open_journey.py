"""Opens a patient's journey for a writer. A day that has ended is closed for good first."""

from dataclasses import replace

from sync.central.days.future_days import correct_future_days
from sync.central.records.appointments import bookings, bring_bookings_forward, carry_bookings
from sync.central.records.history import Provenance
from sync.central.records.journeys import is_current, mark_changed, save, stored_journey
from sync.central.store.transactions import WriteTransaction
from sync.clock import day_after
from sync.ids import new_id
from sync.journey.day_end import close_day
from sync.journey.definitions import Definitions
from sync.journey.grace import GRACE_MS
from sync.journey.model import BuiltIn, Journey


def open_journey(
    db: WriteTransaction, definitions: Definitions, patient_id: str, today: str, provenance: Provenance
) -> Journey | None:
    """A patient's journey as of today, for a writer; None for an unknown patient.

    A booking of tomorrow that can be used already becomes one of today. An ended day is closed in the database, and its
    change is announced. Rows of a day that has not come are moved to today. `provenance` is that of the closure:
    `day_end()`.
    """
    _bring_forward(db, definitions, patient_id, today, provenance.recorded_ms)
    stored = stored_journey(db, patient_id, today)
    if stored is None or is_current(stored, today):
        return stored
    if stored.site_day > today:
        correct_future_days(db, definitions, patient_id, today, new_id(), provenance.recorded_ms)
        mark_changed(db, patient_id)
        return stored_journey(db, patient_id, today)
    closed = close_day(definitions, stored, today)
    save(db, stored, closed, provenance, BuiltIn.CLOSE_DAY)
    carry_bookings(db, today, [booking.appointment_id for booking in closed.journey.appointments])
    return replace(closed.journey, appointments=bookings(db, patient_id, today, day_after(today)))


def _bring_forward(db: WriteTransaction, definitions: Definitions, patient_id: str, today: str, now_ms: int) -> None:
    """Makes the bookings of tomorrow that are within reach bookings of today."""
    if bring_bookings_forward(db, patient_id, today, now_ms + GRACE_MS, definitions.open_appointments):
        mark_changed(db, patient_id)
