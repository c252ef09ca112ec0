"""Exams and bookings as rows."""

import sqlite3

from sync.central.store import Reading
from sync.journey.model import Appointment, AppointmentId, Exam, ExamId


def exam(db: Reading, exam_id: str) -> Exam | None:
    """One exam, or None."""
    row = db.row("select * from exams where exam_id = :exam_id", exam_id=exam_id)
    return exam_of_row(row) if row else None


def bookings(db: Reading, patient_id: str, first_day: str, before_day: str) -> tuple[Appointment, ...]:
    """A patient's appointments of the site days from `first_day` on and before `before_day`, in order of time."""
    rows = db.execute(
        "select a.appointment_id, a.exam_id, a.scheduled_ms, a.status, e.public_label, e.room, e.minutes, e.overnight"
        " from appointments a join exams e on e.exam_id = a.exam_id"
        " where a.patient_id = :patient_id and a.site_day >= :first and a.site_day < :before"
        " order by a.scheduled_ms, a.appointment_id",
        {"patient_id": patient_id, "first": first_day, "before": before_day},
    )
    return tuple(
        Appointment(
            AppointmentId(row["appointment_id"]),
            ExamId(row["exam_id"]),
            row["public_label"],
            row["room"],
            row["scheduled_ms"],
            row["status"],
            row["minutes"],
            bool(row["overnight"]),
        )
        for row in rows
    )


def exam_of_row(row: sqlite3.Row) -> Exam:
    """An exam from its row."""
    return Exam(
        ExamId(row["exam_id"]),
        row["title"],
        row["public_label"],
        row["room"],
        row["minutes"],
        bool(row["overnight"]),
    )
