"""Bookings as rows."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.journey.model import Appointment, AppointmentId, ExamId, PatientId


class Withdrawn(StrEnum):
    """How the hospital's system cancelled a booking."""

    ROW = "row"  # a row of a document said so
    LEFT_OUT = "left_out"  # a document named every booking of its day, and not this one


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a booking is. `said` is the hospital's own word, ISO 8601: a date, a local time, or an instant.

    `scheduled_ms` (UTC ms) and `site_day` follow from it by the site's clock. `all_day`: it is a date without a time.
    """

    said: str
    scheduled_ms: int
    all_day: bool
    site_day: str


@dataclass(frozen=True, slots=True)
class BookingRow:
    """A booking of any day, with its patient. `withdrawn` is None where the hospital's system has not cancelled it."""

    appointment_id: str
    patient_id: str
    exam_id: str
    schedule: Schedule
    status: str
    withdrawn: Withdrawn | None = None


def bookings(db: ReadTransaction, patient_id: str, first_day: str, before_day: str) -> tuple[Appointment, ...]:
    """A patient's appointments from site day `first_day` up to and without `before_day`, in order of time."""
    rows = db.execute(
        "select a.appointment_id, a.exam_id, e.public_label, e.room, a.scheduled_ms, a.status, e.minutes, e.overnight,"
        " a.all_day from appointments a join exams e on e.exam_id = a.exam_id"
        " where a.patient_id = :patient_id and a.site_day >= :first and a.site_day < :before"
        " order by a.all_day, a.scheduled_ms, a.appointment_id",
        {"patient_id": patient_id, "first": first_day, "before": before_day},
    )
    return tuple(_appointment(*row) for row in rows)


def read_booking(db: ReadTransaction, appointment_id: str) -> BookingRow | None:
    """The booking of an id, or None."""
    row = db.row(
        "select appointment_id, patient_id, exam_id, scheduled_at, scheduled_ms, all_day, site_day, status, withdrawn"
        " from appointments where appointment_id = :appointment_id",
        appointment_id=appointment_id,
    )
    if row is None:
        return None
    schedule = Schedule(row["scheduled_at"], row["scheduled_ms"], bool(row["all_day"]), row["site_day"])
    withdrawn = Withdrawn(row["withdrawn"]) if row["withdrawn"] else None
    return BookingRow(row["appointment_id"], row["patient_id"], row["exam_id"], schedule, row["status"], withdrawn)


def bookings_of_day(db: ReadTransaction, site_day: str, statuses: Collection[str]) -> list[str]:
    """The ids of a day's bookings with one of these statuses, by patient."""
    names, parameters = any_of("status", statuses)
    rows = db.rows(
        f"select appointment_id from appointments where site_day = :site_day and status in {names}"  # noqa: S608
        " order by patient_id, appointment_id",
        site_day=site_day,
        **parameters,
    )
    return [row["appointment_id"] for row in rows]


def patients_booked_for(db: ReadTransaction, exam_id: str, first_day: str) -> list[PatientId]:
    """The patients with a booking of this exam on the site day `first_day` or later."""
    rows = db.rows(
        "select distinct patient_id from appointments where exam_id = :exam_id and site_day >= :first_day",
        exam_id=exam_id,
        first_day=first_day,
    )
    return [PatientId(row["patient_id"]) for row in rows]


def write_booking(db: WriteTransaction, booking: BookingRow) -> None:
    """Adds a booking, or updates everything of it but its patient."""
    db.execute(
        "insert into appointments values (:appointment_id, :patient_id, :exam_id, :scheduled_at, :scheduled_ms,"
        " :all_day, :site_day, :status, :withdrawn, null) on conflict (appointment_id) do update set"
        " exam_id = excluded.exam_id, scheduled_at = excluded.scheduled_at, scheduled_ms = excluded.scheduled_ms,"
        " all_day = excluded.all_day, site_day = excluded.site_day, status = excluded.status,"
        " withdrawn = excluded.withdrawn",
        {
            "appointment_id": booking.appointment_id,
            "patient_id": booking.patient_id,
            "exam_id": booking.exam_id,
            "scheduled_at": booking.schedule.said,
            "scheduled_ms": booking.schedule.scheduled_ms,
            "all_day": int(booking.schedule.all_day),
            "site_day": booking.schedule.site_day,
            "status": booking.status,
            "withdrawn": booking.withdrawn,
        },
    )


def set_appointment_status(db: WriteTransaction, appointment_id: str, status: str) -> None:
    """Changes the status of an appointment."""
    db.execute(
        "update appointments set status = :status where appointment_id = :appointment_id",
        {"status": status, "appointment_id": appointment_id},
    )


def _appointment(
    appointment_id: str,
    exam_id: str,
    public_label: str,
    room: str,
    scheduled_ms: int,
    status: str,
    minutes: int,
    overnight: int,
    all_day: int,
) -> Appointment:
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
    )
