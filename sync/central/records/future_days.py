"""Rows of days that have not come: they were written while the centre's clock was ahead."""

from collections.abc import Collection
from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.journey.model import Trigger


@dataclass(frozen=True, slots=True)
class EndedVisit:
    """A visit that a day's end closed, and the state and the leg that it was in until then."""

    visit_id: str
    leg: int
    from_state: str


def patients_with_later_rows(db: ReadTransaction, today: str, statuses: Collection[str]) -> list[str]:
    """Patients with a journey of a day after `today`, or with a booking of such a day in one of these statuses."""
    names, parameters = any_of("status", statuses)
    rows = db.execute(
        "select patient_id from journeys where site_day > :today"  # noqa: S608 (placeholders only)
        f" union select patient_id from appointments where site_day > :today and status in {names} order by patient_id",
        {"today": today, **parameters},
    )
    return [row["patient_id"] for row in rows]


def has_later_rows(db: ReadTransaction, patient_id: str, today: str, statuses: Collection[str]) -> bool:
    """Whether a patient is one of `patients_with_later_rows()`."""
    names, parameters = any_of("status", statuses)
    row = db.row(
        "select 1 from journeys where patient_id = :patient_id and site_day > :today union all"  # noqa: S608
        f" select 1 from appointments where patient_id = :patient_id and site_day > :today and status in {names}",
        patient_id=patient_id,
        today=today,
        **parameters,
    )
    return row is not None


def move_to_day(db: WriteTransaction, patient_id: str, today: str) -> None:
    """Moves a patient's journey, entries and visits of days after `today` to today. The visits stay in their order.

    An entry gives up a booking of a later day: that day is still to come.
    """
    scope = {"patient_id": patient_id, "today": today}
    db.execute(
        "update entries set appointment_id = null where patient_id = :patient_id and site_day > :today"
        " and exists (select 1 from appointments a where a.appointment_id = entries.appointment_id"
        " and a.site_day > :today)",
        scope,
    )
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


def reopen_bookings(
    db: WriteTransaction, patient_id: str, today: str, used: Collection[str], fresh: str, lapsed: str
) -> None:
    """Makes bookings `fresh` again: those of later days whose status is in `used`, and those of today that lapsed.

    A booking of today with a queue entry stays: without an entry, only a day's end lets a booking lapse.
    """
    names, parameters = any_of("status", used)
    db.execute(
        "update appointments set status = :fresh where patient_id = :patient_id"  # noqa: S608 (placeholders only)
        f" and (site_day > :today and status in {names} or site_day = :today and status = :lapsed"
        " and not exists (select 1 from entries e where e.appointment_id = appointments.appointment_id"
        " and e.site_day = :today))",
        {"patient_id": patient_id, "today": today, "fresh": fresh, "lapsed": lapsed, **parameters},
    )


def ended_visit(db: ReadTransaction, patient_id: str, today: str) -> EndedVisit | None:
    """The last visit of today that a day's end closed; None where there is none."""
    row = db.row(
        "select t.visit_id, t.leg, t.from_state from transitions t join visits v on v.visit_id = t.visit_id"
        " where t.patient_id = :patient_id and v.site_day = :today and t.trigger_type = :ended"
        " order by t.change desc, t.position desc limit 1",
        patient_id=patient_id,
        today=today,
        ended=Trigger.SYSTEM_AUTO,
    )
    return EndedVisit(*row) if row else None
