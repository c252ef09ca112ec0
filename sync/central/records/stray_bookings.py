"""Bookings and queue entries that do not say the same of a patient."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, any_of
from sync.journey.definitions import Definitions
from sync.journey.meaning import cancellation


class Stray(StrEnum):
    """What a booking and its entry disagree about."""

    OTHER_EXAM = "other_exam"
    OTHER_DAY = "other_day"
    CALLED_OFF = "called_off"
    NO_ENTRY = "no_entry"


@dataclass(frozen=True, slots=True)
class StrayBooking:
    """A booking that its live entry does not fit, or that should have a live entry and has none."""

    patient_id: str
    appointment_id: str
    queue_id: str | None
    fault: Stray


def stray_bookings(db: ReadTransaction, definitions: Definitions) -> list[StrayBooking]:
    """Every stray booking of the days that the patients' journeys are on, by patient."""
    found = [*_of_entries(db, definitions), *_without_entry(db, definitions)]
    return sorted(found, key=lambda each: (each.patient_id, each.appointment_id))


def _of_entries(db: ReadTransaction, definitions: Definitions) -> list[StrayBooking]:
    """The live entries whose booking is cancelled, for another exam or of another day."""
    live, live_states = any_of("live", definitions.live)
    staying, staying_states = any_of("staying", definitions.day_end.entries_stay)
    rule = cancellation(definitions)
    # An entry that outlasts its day is for a booking of an earlier one.
    rows = db.rows(
        "select j.patient_id, a.appointment_id, e.queue_id, a.status = :cancelled as is_cancelled,"  # noqa: S608
        " a.exam_id <> e.exam_id as is_other from journeys j"
        " join entries e on e.patient_id = j.patient_id and e.site_day = j.site_day"
        f" join appointments a on a.appointment_id = e.appointment_id where e.state in {live}"
        " and (a.status = :cancelled or a.exam_id <> e.exam_id or a.site_day > e.site_day"
        f" or a.site_day < e.site_day and e.overnight = 0 and e.state not in {staying})",
        cancelled=(rule.no_entry if rule else None) or "",
        **live_states,
        **staying_states,
    )
    return [StrayBooking(row["patient_id"], row["appointment_id"], row["queue_id"], _fault(row)) for row in rows]


def _fault(row: Row) -> Stray:
    if row["is_cancelled"]:
        return Stray.CALLED_OFF
    return Stray.OTHER_EXAM if row["is_other"] else Stray.OTHER_DAY


def _without_entry(db: ReadTransaction, definitions: Definitions) -> list[StrayBooking]:
    """The bookings of the journey's day that say that the patient waits or is seen, and have no live entry."""
    live, live_states = any_of("live", definitions.live)
    held, held_statuses = any_of("held", _held_statuses(definitions))
    rows = db.rows(
        "select j.patient_id, a.appointment_id from journeys j"  # noqa: S608 (placeholders only)
        " join appointments a on a.patient_id = j.patient_id and a.site_day = j.site_day"
        f" where a.status in {held} and not exists (select 1 from entries e"
        f" where e.appointment_id = a.appointment_id and e.state in {live})",
        **live_states,
        **held_statuses,
    )
    return [StrayBooking(row["patient_id"], row["appointment_id"], None, Stray.NO_ENTRY) for row in rows]


def _held_statuses(definitions: Definitions) -> Collection[str]:
    """The statuses that a booking has only while its entry is live."""
    ended = {definitions.queue_to_appointment[s] for s in definitions.queue_states if s not in definitions.live}
    other = {*ended, *definitions.open_appointments, definitions.day_end.appointments_to}
    return {definitions.queue_to_appointment[s] for s in definitions.live} - other
