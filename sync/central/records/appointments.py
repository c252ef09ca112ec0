"""Bookings as rows."""

from collections.abc import Collection
from enum import StrEnum
from typing import Any

import msgspec

from sync.central.records.parts import Part
from sync.central.store.connection import Row
from sync.central.store.transactions import Order, ReadTransaction, WriteTransaction, Writing, any_of, each_of
from sync.clock import day_after
from sync.journey.model import Appointment, AppointmentId, ExamId, PatientId


class Withdrawn(StrEnum):
    """How the hospital's system cancelled a booking."""

    ROW = "row"  # a row of a document said so
    LEFT_OUT = "left_out"  # a document named every booking of its day, and not this one


class Schedule(msgspec.Struct, frozen=True):
    """When a booking is. `said` is the hospital's own word, ISO 8601: a date, a local time, or an instant.

    `scheduled_ms` (UTC ms) and `site_day` follow from it by the site's clock. `all_day`: it is a date without a time.
    `last_day` is the last site day on which the booking can be used. A booking that is used on the day beside its own
    is of that `site_day` from then on.
    """

    said: str
    scheduled_ms: int
    all_day: bool
    site_day: str
    last_day: str


class BookingRow(msgspec.Struct, frozen=True):
    """A booking of any day, with its patient. `withdrawn` is None where the hospital's system has not cancelled it.

    `said_exam_id` is the exam that the hospital's system said, where staff have moved the patient to another one.
    `made_by` is who at the desk has made or moved it by hand; empty where the hospital's system spoke last.
    """

    appointment_id: str
    patient_id: str
    exam_id: str
    schedule: Schedule
    status: str
    withdrawn: Withdrawn | None = None
    made_by: str = ""
    said_exam_id: str | None = None


# With its day first.
BOOKINGS = Part(
    "booking",
    ("a.site_day", "a.appointment_id", "a.exam_id", "x.public_label", "x.room", "a.status", "a.last_day"),
    ("a.scheduled_ms", "x.minutes", "x.overnight", "a.all_day", "x.by_booking"),
)


def bookings(db: ReadTransaction, patient_id: str, first_day: str, before_day: str) -> tuple[Appointment, ...]:
    """A patient's appointments from site day `first_day` up to and without `before_day`, in order of time."""
    rows = db.execute(
        f"select {_COLUMNS} where a.patient_id = :patient_id and a.site_day >= :first and a.site_day < :before"
        f" {_IN_ORDER}",
        {"patient_id": patient_id, "first": first_day, "before": before_day},
    )
    return tuple(appointment_of_columns(*row) for row in rows)


def bookings_of_patients(
    db: ReadTransaction, patient_ids: Collection[str], first_day: str, before_day: str
) -> dict[str, tuple[Appointment, ...]]:
    """The appointments of these patients as `bookings` gives each's. A patient without any is left out."""
    names, parameters = each_of("patient", patient_ids)
    rows = db.execute(
        f"select a.patient_id, {_COLUMNS} where a.patient_id in {names} and a.site_day >= :first"
        f" and a.site_day < :before {_IN_ORDER}",
        {**parameters, "first": first_day, "before": before_day},
    )
    found: dict[str, tuple[Appointment, ...]] = {}
    for patient_id, *row in rows:
        found[patient_id] = (*found.get(patient_id, ()), appointment_of_columns(*row))
    return found


def patients_with_forward_bookings(
    db: ReadTransaction, patient_ids: Collection[str], today: str, before_ms: int, statuses: Collection[str]
) -> set[str]:
    """Those of the patients who have a booking that `bring_bookings_forward` would make one of today."""
    names, parameters = each_of("patient", patient_ids)
    among, of_status = any_of("status", statuses)
    rows = db.rows(
        "select distinct patient_id from appointments where site_day = :tomorrow and all_day = 0"  # noqa: S608
        f" and scheduled_ms <= :before_ms and status in {among} and patient_id in {names}",
        tomorrow=day_after(today),
        before_ms=before_ms,
        **parameters,
        **of_status,
    )
    return {row["patient_id"] for row in rows}


def read_booking(db: ReadTransaction, appointment_id: str) -> BookingRow | None:
    """The booking of an id, or None."""
    row = db.row(f"{_ROWS} where appointment_id = :appointment_id", appointment_id=appointment_id)
    return _booking(row) if row else None


def bookings_since(db: ReadTransaction, patient_id: str, first_day: str) -> list[BookingRow]:
    """A patient's bookings from a day of the site on, in order of time."""
    rows = db.rows(
        f"{_ROWS} where patient_id = :patient_id and site_day >= :first"
        " order by site_day, all_day, scheduled_ms, appointment_id",
        patient_id=patient_id,
        first=first_day,
    )
    return [_booking(row) for row in rows]


def bookings_by_id(db: ReadTransaction, appointment_ids: Collection[str]) -> dict[str, BookingRow]:
    """Those of these bookings that there are, by their ids."""
    names, parameters = each_of("id", appointment_ids)
    return {
        row["appointment_id"]: _booking(row)
        for row in db.rows(f"{_ROWS} where appointment_id in {names}", **parameters)
    }


def bookings_of_day(db: ReadTransaction, site_day: str, statuses: Collection[str]) -> list[tuple[str, int]]:
    """A day's bookings with one of these statuses, by patient: the id and the time (UTC ms) of each.

    Those that were made or moved by hand are left out: no document names them.
    """
    names, parameters = any_of("status", statuses)
    rows = db.rows(
        f"select appointment_id, scheduled_ms from appointments where site_day = :site_day and status in {names}"  # noqa: S608
        " and made_by = '' order by patient_id, appointment_id",
        site_day=site_day,
        **parameters,
    )
    return [(row["appointment_id"], row["scheduled_ms"]) for row in rows]


def patients_booked_for(db: ReadTransaction, exam_id: str, days: Collection[str]) -> list[PatientId]:
    """The patients with a booking of this exam on one of these days of the site."""
    names, parameters = any_of("day", days)
    rows = db.rows(
        f"select distinct patient_id from appointments where exam_id = :exam_id and site_day in {names}",  # noqa: S608
        exam_id=exam_id,
        **parameters,
    )
    return [PatientId(row["patient_id"]) for row in rows]


def write_booking(db: WriteTransaction, booking: BookingRow) -> None:
    """Adds a booking, or updates everything of it but its patient."""
    db.write(
        _PUT,
        {
            "appointment_id": booking.appointment_id,
            "patient_id": booking.patient_id,
            "exam_id": booking.exam_id,
            "scheduled_at": booking.schedule.said,
            "scheduled_ms": booking.schedule.scheduled_ms,
            "all_day": int(booking.schedule.all_day),
            "site_day": booking.schedule.site_day,
            "last_day": booking.schedule.last_day,
            "status": booking.status,
            "withdrawn": booking.withdrawn,
            "made_by": booking.made_by,
            "said_exam_id": booking.said_exam_id,
        },
    )


def set_appointment_status(db: WriteTransaction, appointment_ids: Collection[str], status: str) -> None:
    """Changes the status of some appointments."""
    if db.writes_together:
        for appointment_id in appointment_ids:
            db.write(_SET_STATUS, {"status": status, "appointment_id": appointment_id})
        return
    names, parameters = any_of("id", appointment_ids)
    db.execute(
        f"update appointments set status = :status where appointment_id in {names}",  # noqa: S608 (placeholders only)
        {"status": status, **parameters},
    )


def set_booking_exam(db: WriteTransaction, booking: BookingRow, exam_id: str) -> None:
    """Moves a booking to another exam. The exam that the hospital's system said is kept, where it is another one."""
    said = booking.said_exam_id or booking.exam_id
    db.execute(
        "update appointments set exam_id = :exam_id, said_exam_id = :said where appointment_id = :appointment_id",
        {
            "exam_id": exam_id,
            "said": None if said == exam_id else said,
            "appointment_id": booking.appointment_id,
        },
    )


def carry_bookings(db: WriteTransaction, today: str, appointment_ids: Collection[str]) -> None:
    """Makes bookings that outlast the end of their day bookings of today."""
    for appointment_id in appointment_ids:
        db.execute(
            "update appointments set site_day = :today where appointment_id = :appointment_id",
            {"today": today, "appointment_id": appointment_id},
        )


def bring_bookings_forward(
    db: WriteTransaction, patient_id: str, today: str, before_ms: int, statuses: Collection[str]
) -> bool:
    """Makes a patient's bookings of tomorrow up to a moment bookings of today, where they are in these statuses.

    Returns whether there were any.
    """
    names, parameters = any_of("status", statuses)
    moved = db.execute(
        "update appointments set site_day = :today where patient_id = :patient_id"  # noqa: S608 (placeholders only)
        f" and site_day = :tomorrow and all_day = 0 and scheduled_ms <= :before_ms and status in {names}",
        {"patient_id": patient_id, "today": today, "tomorrow": day_after(today), "before_ms": before_ms, **parameters},
    )
    return moved.rowcount > 0


def booking_of_part(values: tuple[Any, ...]) -> tuple[str, Appointment]:
    """The day and the booking of a row of the part `BOOKINGS`."""
    day, appointment_id, exam_id, label, room, status, last_day, *numbers = values
    scheduled_ms, minutes, overnight, all_day, by_booking = numbers
    return day, appointment_of_columns(
        appointment_id, exam_id, label, room, scheduled_ms, status, minutes, overnight, all_day, last_day, by_booking
    )


def late_bookings(
    db: ReadTransaction, today: str, before_ms: int, statuses: Collection[str], limit: int
) -> list[tuple[str, PatientId]]:
    """The first of today's bookings in these statuses with a time before a moment: id and patient."""
    names, parameters = any_of("status", statuses)
    rows = db.rows(
        "select appointment_id, patient_id from appointments where site_day = :today and all_day = 0"  # noqa: S608
        f" and scheduled_ms < :before_ms and status in {names} order by appointment_id limit :limit",
        today=today,
        before_ms=before_ms,
        limit=limit,
        **parameters,
    )
    return [(row["appointment_id"], PatientId(row["patient_id"])) for row in rows]


def appointment_of_columns(
    appointment_id: str,
    exam_id: str,
    public_label: str,
    room: str,
    scheduled_ms: int,
    status: str,
    minutes: int,
    overnight: int,
    all_day: int,
    last_day: str,
    by_booking: int,
) -> Appointment:
    """A booking from its columns, and those of its exam."""
    return Appointment(
        AppointmentId(appointment_id),
        ExamId(exam_id),
        public_label,
        room,
        scheduled_ms,
        status,
        minutes,
        bool(overnight),
        bool(all_day),
        last_day,
        bool(by_booking),
    )


def _booking(row: Row) -> BookingRow:
    schedule = Schedule(
        row["scheduled_at"], row["scheduled_ms"], bool(row["all_day"]), row["site_day"], row["last_day"]
    )
    withdrawn = Withdrawn(row["withdrawn"]) if row["withdrawn"] else None
    return BookingRow(
        row["appointment_id"],
        row["patient_id"],
        row["exam_id"],
        schedule,
        row["status"],
        withdrawn,
        row["made_by"],
        row["said_exam_id"],
    )


_ROWS = (
    "select appointment_id, patient_id, exam_id, scheduled_at, scheduled_ms, all_day, site_day, last_day, status,"
    " withdrawn, made_by, said_exam_id from appointments"
)
_COLUMNS = (
    "a.appointment_id, a.exam_id, e.public_label, e.room, a.scheduled_ms, a.status, e.minutes, e.overnight,"
    " a.all_day, a.last_day, e.by_booking from appointments a join exams e on e.exam_id = a.exam_id"
)
_IN_ORDER = "order by a.all_day, a.scheduled_ms, a.appointment_id"
_PUT = Writing(
    "insert into appointments values (:appointment_id, :patient_id, :exam_id, :scheduled_at, :scheduled_ms, :all_day,"
    " :site_day, :last_day, :status, :withdrawn, :made_by,"
    " :said_exam_id) on conflict (appointment_id) do update set"
    " exam_id = excluded.exam_id, scheduled_at = excluded.scheduled_at, scheduled_ms = excluded.scheduled_ms,"
    " all_day = excluded.all_day, site_day = excluded.site_day, last_day = excluded.last_day,"
    " status = excluded.status, withdrawn = excluded.withdrawn, made_by = excluded.made_by,"
    " said_exam_id = excluded.said_exam_id",
    Order.FIRST,
)
_SET_STATUS = Writing("update appointments set status = :status where appointment_id = :appointment_id")
