"""Sets right what was written while the clock was ahead: what bears a day that has not come belongs to today.

Bookings that lapsed by such a day's end are open again. Whose place in line ended by it is a case for staff: where that
person stands by now, nobody but they can say.
"""

from sync.central.conflicts.waiting import DAY_ENDED, NewCase, open_case
from sync.central.store.sqlite import ReadTransaction, WriteTransaction, any_of
from sync.journey.definitions import Definitions
from sync.journey.model import Trigger


def misdated(db: ReadTransaction, definitions: Definitions, today: str, limit: int) -> list[str]:
    """Patients of whom something bears a day that has not come, or has lapsed before its day."""
    names, touched = any_of("status", _touched(definitions))
    rows = db.execute(
        "select patient_id from journeys where site_day > :today"  # noqa: S608 (placeholders only)
        f" union select patient_id from appointments where site_day > :today and status in {names}"
        " order by patient_id limit :limit",
        {"today": today, "limit": limit, **touched},
    )
    return [row["patient_id"] for row in rows]


def set_right(
    db: WriteTransaction, definitions: Definitions, patient_id: str, today: str, exception_id: str, now_ms: int
) -> None:
    """Takes a patient's journey, entries, visits and bookings of days to come as of today. The caller sees to it that
    this is told. `exception_id` is that of the case, if there is one."""
    of_today = {"patient_id": patient_id, "today": today}
    _tell_of_what_ended(db, patient_id, today, exception_id, now_ms)
    _open_bookings(db, definitions, patient_id, today)
    for table in ("journeys", "entries"):
        db.execute(
            f"update {table} set site_day = :today where patient_id = :patient_id and site_day > :today",  # noqa: S608
            of_today,
        )
    visits = db.rows(
        "select visit_id from visits where patient_id = :patient_id and site_day > :today order by site_day, ordinal",
        **of_today,
    )
    for visit in visits:
        db.execute(
            "update visits set site_day = :today, ordinal = (select coalesce(max(v.ordinal), 0) + 1 from visits v"
            " where v.patient_id = :patient_id and v.site_day = :today) where visit_id = :visit_id",
            {**of_today, "visit_id": visit["visit_id"]},
        )


def _touched(definitions: Definitions) -> set[str]:
    """The statuses that a booking whose day has not come cannot have but by mistake."""
    end = definitions.day_end
    return {end.appointments_to, *end.appointments_from} - {definitions.fresh_appointment}


def _open_bookings(db: WriteTransaction, definitions: Definitions, patient_id: str, today: str) -> None:
    """Those of days to come; and of today's those that lapsed though nobody was ever in line for them, which nothing
    but a day's end does."""
    names, touched = any_of("status", _touched(definitions))
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
            **touched,
        },
    )


def _tell_of_what_ended(db: WriteTransaction, patient_id: str, today: str, exception_id: str, now_ms: int) -> None:
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
        concern = NewCase(DAY_ENDED, None, detail, patient_id, visit_id=row["visit_id"])
        open_case(db, exception_id, concern, now_ms)
