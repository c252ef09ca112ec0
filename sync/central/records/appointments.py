"""Bookings as rows."""

from collections.abc import Collection
from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.journey.model import Appointment, AppointmentId, ExamId, PatientId


@dataclass(frozen=True, slots=True)
class BookingRow:
    """A booking of any day, with its patient. `scheduled_ms` is UTC ms."""

    appointment_id: str
    patient_id: str
    exam_id: str
    scheduled_ms: int
    site_day: str
    status: str


def bookings(db: ReadTransaction, patient_id: str, first_day: str, before_day: str) -> tuple[Appointment, ...]:
    """A patient's appointments from site day `first_day` up to and without `before_day`, in order of time."""
    rows = db.execute(
        "select a.appointment_id, a.exam_id, e.public_label, e.room, a.scheduled_ms, a.status, e.minutes, e.overnight"
        " from appointments a join exams e on e.exam_id = a.exam_id"
        " where a.patient_id = :patient_id and a.site_day >= :first and a.site_day < :before"
        " order by a.scheduled_ms, a.appointment_id",
        {"patient_id": patient_id, "first": first_day, "before": before_day},
    )
    return tuple(_appointment(*row) for row in rows)


def read_booking(db: ReadTransaction, appointment_id: str) -> BookingRow | None:
    """The booking of an id, or None."""
    row = db.row(
        "select appointment_id, patient_id, exam_id, scheduled_ms, site_day, status from appointments"
        " where appointment_id = :appointment_id",
        appointment_id=appointment_id,
    )
    return BookingRow(*row) if row else None


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
    """Adds a booking, or updates its exam, its time and its status. Its patient stays the same."""
    db.execute(
        "insert into appointments values (:appointment_id, :patient_id, :exam_id, :scheduled_ms, :site_day,"
        " :status, null) on conflict (appointment_id) do update set exam_id = excluded.exam_id,"
        " scheduled_ms = excluded.scheduled_ms, site_day = excluded.site_day, status = excluded.status",
        {
            "appointment_id": booking.appointment_id,
            "patient_id": booking.patient_id,
            "exam_id": booking.exam_id,
            "scheduled_ms": booking.scheduled_ms,
            "site_day": booking.site_day,
            "status": booking.status,
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
    )
