"""Bookings as rows."""

from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.model import Appointment, AppointmentId, ExamId


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
