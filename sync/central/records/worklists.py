"""The bookings of an exam whose patients have no entry for it yet, as its printed worklist needs them."""

from collections.abc import Collection
from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, any_of


@dataclass(frozen=True, slots=True)
class ExpectedBooking:
    """A booking of today that has no entry yet. `all_day`: it has no time, and `scheduled_ms` is the day's start."""

    appointment_id: str
    patient_id: str
    name: str
    masked_name: str
    birth_date: str | None
    language: str
    scheduled_ms: int
    all_day: bool
    status: str


def expected_bookings(
    db: ReadTransaction, exam_id: str, site_day: str, statuses: Collection[str]
) -> list[ExpectedBooking]:
    """The bookings of an exam on a day in these statuses that no entry is for, in the order of their times."""
    among, of_status = any_of("status", statuses)
    rows = db.rows(
        "select a.appointment_id, a.patient_id, p.name, p.masked_name, p.birth_date, p.language, a.scheduled_ms,"  # noqa: S608
        " a.all_day, a.status from appointments a join patients p on p.patient_id = a.patient_id"
        f" where a.exam_id = :exam_id and a.site_day = :site_day and a.status in {among}"
        " and not exists (select 1 from entries e where e.appointment_id = a.appointment_id"
        " and e.site_day = a.site_day)"
        " order by a.all_day, a.scheduled_ms, a.appointment_id",
        exam_id=exam_id,
        site_day=site_day,
        **of_status,
    )
    return [ExpectedBooking(**{**dict(row), "all_day": bool(row["all_day"])}) for row in rows]
