"""Moves rows of future days to today. They were written while the centre's clock was ahead.

Bookings that lapsed at the end of such a day are open again. Where a queue entry ended with such a day, staff get a
case: only staff know that patient's state now.
"""

from sync.central.records.cases import DAY_ENDED, NewCase, open_case
from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.journey.definitions import Definitions
from sync.journey.model import Trigger


def patients_of_future_days(db: ReadTransaction, definitions: Definitions, today: str, limit: int) -> list[str]:
    """Patients with a journey of a day after `today`, or with a used or lapsed booking of such a day."""
    names, used_statuses = any_of("status", _used_statuses(definitions))
    rows = db.execute(
        "select patient_id from journeys where site_day > :today"  # noqa: S608 (placeholders only)
        f" union select patient_id from appointments where site_day > :today and status in {names}"
        " order by patient_id limit :limit",
        {"today": today, "limit": limit, **used_statuses},
    )
    return [row["patient_id"] for row in rows]


def correct_future_days(
    db: WriteTransaction, definitions: Definitions, patient_id: str, today: str, exception_id: str, now_ms: int
) -> None:
    """Moves a patient's journey, entries and visits of days after `today` to today, and opens the bookings again.

    The caller announces the change. `exception_id` is the id of the case for staff, where there is one.
    """
    scope = {"patient_id": patient_id, "today": today}
    _report_ended_day(db, patient_id, today, exception_id, now_ms)
    _reopen_bookings(db, definitions, patient_id, today)
    for table in ("journeys", "entries"):
        db.execute(
            f"update {table} set site_day = :today where patient_id = :patient_id and site_day > :today",  # noqa: S608
            scope,
        )
    visits = db.rows(
        "select visit_id from visits where patient_id = :patient_id and site_day > :today order by site_day, ordinal",
        **scope,
    )
    for visit in visits:
        db.execute(
            "update visits set site_day = :today, ordinal = (select coalesce(max(v.ordinal), 0) + 1 from visits v"
            " where v.patient_id = :patient_id and v.site_day = :today) where visit_id = :visit_id",
            {**scope, "visit_id": visit["visit_id"]},
        )


def _used_statuses(definitions: Definitions) -> set[str]:
    """The statuses that a booking of a future day can only have by mistake."""
    end = definitions.day_end
    return {end.appointments_to, *end.appointments_from} - {definitions.fresh_appointment}


def _reopen_bookings(db: WriteTransaction, definitions: Definitions, patient_id: str, today: str) -> None:
    """Opens the bookings of days after today, and those of today that lapsed without any queue entry.

    Without an entry, only a day's end lets a booking lapse.
    """
    names, used_statuses = any_of("status", _used_statuses(definitions))
    db.execute(
        "update appointments set status = :fresh where patient_id = :patient_id"  # noqa: S608 (placeholders only)
        f" and (site_day > :today and status in {names} or site_day = :today and status = :lapsed"
        " and not exists (select 1 from entries e where e.patient_id = :patient_id and e.site_day = :today"
        " and e.exam_id = appointments.exam_id))",
        {
            "patient_id": patient_id,
            "today": today,
            "fresh": definitions.fresh_appointment,
            "lapsed": definitions.day_end.appointments_to,
            **used_statuses,
        },
    )


def _report_ended_day(db: WriteTransaction, patient_id: str, today: str, exception_id: str, now_ms: int) -> None:
    """Opens a case where a day's end closed a visit of today."""
    row = db.row(
        "select t.visit_id, t.leg, t.from_state from transitions t join visits v on v.visit_id = t.visit_id"
        " where t.patient_id = :patient_id and v.site_day = :today and t.trigger_type = :ended"
        " order by t.change desc, t.position desc limit 1",
        patient_id=patient_id,
        today=today,
        ended=Trigger.SYSTEM_AUTO,
    )
    if row is not None:
        detail = {"journey_state": row["from_state"], "leg": row["leg"], "site_day": today}
        new = NewCase(DAY_ENDED, None, detail, patient_id, visit_id=row["visit_id"])
        open_case(db, exception_id, new, now_ms)
