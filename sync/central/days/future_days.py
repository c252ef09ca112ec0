"""Corrects what a clock ahead of time did: rows of days that have not come belong to today.

Bookings that lapsed at the end of such a day are open again. Where a queue entry ended with such a day, staff get a
case: only people can say where that patient stands now.
"""

from sync.central.records.cases import DAY_ENDED, NewCase, open_case
from sync.central.records.future_days import (
    ended_visit,
    has_later_rows,
    move_to_day,
    patients_with_later_rows,
    reopen_bookings,
)
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.definitions import Definitions


def patients_of_future_days(db: ReadTransaction, definitions: Definitions, today: str) -> list[str]:
    """Patients with a journey of a day after `today`, or with a booking of such a day that was used or has lapsed."""
    return patients_with_later_rows(db, today, _used_statuses(definitions))


def is_of_future_days(db: ReadTransaction, definitions: Definitions, patient_id: str, today: str) -> bool:
    """Whether a patient is one of `patients_of_future_days()`."""
    return has_later_rows(db, patient_id, today, _used_statuses(definitions))


def correct_future_days(
    db: WriteTransaction, definitions: Definitions, patient_id: str, today: str, exception_id: str, now_ms: int
) -> None:
    """Moves a patient's journey, entries and visits of days after `today` to today, and opens the bookings again.

    The caller announces the change. `exception_id` is the id of the case for staff, where there is one.
    """
    _report_ended_day(db, patient_id, today, exception_id, now_ms)
    fresh, lapsed = definitions.fresh_appointment, definitions.day_end.appointments_to
    reopen_bookings(db, patient_id, today, _used_statuses(definitions), fresh, lapsed)
    move_to_day(db, patient_id, today)


def _used_statuses(definitions: Definitions) -> set[str]:
    """The statuses that a booking of a day that has not come can only have by mistake."""
    end = definitions.day_end
    return {end.appointments_to, *end.appointments_from} - {definitions.fresh_appointment}


def _report_ended_day(db: WriteTransaction, patient_id: str, today: str, exception_id: str, now_ms: int) -> None:
    """Opens a case where a day's end closed a visit of today."""
    ended = ended_visit(db, patient_id, today)
    if ended is not None:
        detail = {"journey_state": ended.from_state, "leg": ended.leg, "site_day": today}
        open_case(db, exception_id, NewCase(DAY_ENDED, None, detail, patient_id, visit_id=ended.visit_id), now_ms)
