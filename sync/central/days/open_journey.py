"""Opens a patient's journey for a writer. A day that has ended is closed for good first."""

from collections.abc import Collection

import msgspec
from msgspec.structs import replace

from sync.central.days.future_days import correct_future_days
from sync.central.records.appointments import (
    bookings,
    bookings_of_patients,
    bring_bookings_forward,
    carry_bookings,
    patients_with_forward_bookings,
)
from sync.central.records.first_read import FirstRead
from sync.central.records.history import Provenance
from sync.central.records.journeys import OPEN, is_current, mark_changed, save, stored_journey, stored_journeys
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, WriteTransaction
from sync.clock import day_after
from sync.ids import new_id
from sync.journey.day_end import close_day
from sync.journey.definitions import Definitions
from sync.journey.grace import GRACE_MS, is_within_reach
from sync.journey.model import Appointment, BuiltIn, Decision, Journey


class _Ended(msgspec.Struct, frozen=True):
    """A journey of a day that has ended, its end, which is still to be written, and the bookings of today."""

    stored: Journey
    closed: Decision
    booked: tuple[Appointment, ...]


class Opened(msgspec.Struct, frozen=True):
    """A journey as of today, and as its rows are: `save()` holds them to be `stored`."""

    journey: Journey
    stored: Journey


def open_journey(
    db: WriteTransaction, definitions: Definitions, patient_id: str, today: str, provenance: Provenance
) -> Journey | None:
    """A patient's journey as of today, for a writer; None for an unknown patient.

    A booking of tomorrow that can be used already becomes one of today. An ended day is closed in the database, and its
    change is announced. Rows of a day that has not come are moved to today. `provenance` is that of the closure:
    `day_end()`.
    """
    known = db.known(OPEN, patient_id)
    if known is not UNREAD:
        return known
    ended = db.known(_ENDED, patient_id)
    if ended is not UNREAD:
        journey = replace(ended.closed.journey, appointments=ended.booked)
        save(db, ended.stored, ended.closed, provenance, BuiltIn.CLOSE_DAY)
        db.learn(OPEN, patient_id, journey)
        return journey
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


def read_journeys_ahead(
    db: SetTransaction, definitions: Definitions, patient_ids: Collection[str], today: str, now_ms: int
) -> None:
    """Reads the journeys of a set of patients that are of today, or of a day whose end leaves no booking over.

    Journeys of which more has to be read or written are left out.
    """
    statuses = definitions.open_appointments
    forward = patients_with_forward_bookings(db, patient_ids, today, now_ms + GRACE_MS, statuses)
    stored = [each for each in stored_journeys(db, patient_ids, today) if each.patient_id not in forward]
    of_today: dict[str, Journey] = {each.patient_id: each for each in stored if each.site_day == today}
    db.read_ahead(OPEN, of_today)
    past = [(each, close_day(definitions, each, today)) for each in stored if each.site_day < today]
    past = [(each, closed) for each, closed in past if not closed.journey.appointments]
    if past:
        booked = bookings_of_patients(db, [each.patient_id for each, _ in past], today, day_after(today))
        ended: dict[str, _Ended] = {
            each.patient_id: _Ended(each, closed, booked.get(each.patient_id, ())) for each, closed in past
        }
        db.read_ahead(_ENDED, ended)


def open_read(
    db: WriteTransaction, definitions: Definitions, found: FirstRead, today: str, provenance: Provenance
) -> Opened:
    """The journey as of today of the patient whom a first read has found, as `open_journey()` opens it.

    Nearly every journey is of today, or is of a day whose end changes nothing. Then nothing more is read or written.
    """
    stored = found.stored_until(today)
    assert stored is not None
    if not _is_to_bring_forward(definitions, found, today, provenance.recorded_ms):
        if stored.site_day == today:
            return Opened(stored, stored)
        if stored.site_day < today and (fresh := _unchanged_by_its_end(definitions, stored, today)):
            return Opened(replace(fresh, appointments=found.bookings_of(today)), stored)
    db.demand_turn()  # more than one journey is read and written
    journey = open_journey(db, definitions, stored.patient_id, today, provenance)
    assert journey is not None
    return Opened(journey, journey)


def _is_to_bring_forward(definitions: Definitions, found: FirstRead, today: str, now_ms: int) -> bool:
    usable = definitions.open_appointments
    return any(b.status in usable and is_within_reach(b, now_ms) for b in found.bookings_of(day_after(today)))


def _unchanged_by_its_end(definitions: Definitions, stored: Journey, today: str) -> Journey | None:
    """The journey after the end of the stored day, where it ends nothing and leaves nothing over; else None."""
    closed = close_day(definitions, stored, today)
    kept = closed.journey.entries or closed.journey.appointments
    is_changed = closed.transitions or closed.entry_changes or closed.appointment_changes
    return None if kept or is_changed else closed.journey


def _bring_forward(db: WriteTransaction, definitions: Definitions, patient_id: str, today: str, now_ms: int) -> None:
    """Makes the bookings of tomorrow that are within reach bookings of today."""
    if bring_bookings_forward(db, patient_id, today, now_ms + GRACE_MS, definitions.open_appointments):
        mark_changed(db, patient_id)


_ENDED: Question[str, _Ended] = Question()  # by patient
