"""Takes a row of `exams`."""

from dataclasses import replace
from typing import TypeVar

from msgspec import UNSET, UnsetType

from sync.central.imports.outcomes import UNCHANGED, RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import ExamPart
from sync.central.records.appointments import patients_booked_for
from sync.central.records.exams import put_exam, read_exam
from sync.central.records.journeys import mark_changed
from sync.central.store.transactions import WriteTransaction
from sync.clock import day_after
from sync.journey.model import Exam, ExamId

T = TypeVar("T")
_DEFAULT = Exam(ExamId(""), "", "", "")


def take_exam(db: WriteTransaction, part: ExamPart) -> RowOutcome:
    """Adds an exam, or changes what the part names. The caller announces a change to the patients booked for it."""
    known = read_exam(db, part.exam_id)
    if known is None and (part.title is UNSET or part.public_label is UNSET):
        return RefusedRow("a new exam needs title and public_label")
    before = known or replace(_DEFAULT, exam_id=ExamId(part.exam_id))
    exam = replace(
        before,
        title=_value(part.title, before.title, ""),
        public_label=_value(part.public_label, before.public_label, ""),
        room=_value(part.room, before.room, _DEFAULT.room),
        minutes=_value(part.minutes, before.minutes, _DEFAULT.minutes),
        overnight=_value(part.overnight, before.overnight, _DEFAULT.overnight),
    )
    return TakenRow(changed=True) if put_exam(db, exam) else UNCHANGED


def announce_exam(db: WriteTransaction, exam_id: str, today: str) -> None:
    """Announces a changed exam to the patients who are booked for it today or tomorrow: those that kiosks hold.

    Label and room are shown with the booking. Later days are not shown to anybody yet.
    """
    for patient_id in patients_booked_for(db, exam_id, (today, day_after(today))):
        mark_changed(db, patient_id)


def _value(given: T | UnsetType | None, before: T, default: T) -> T:
    """The value of a field: the given one, the one before where none is given, the default where it was removed."""
    if given is UNSET:
        return before
    return default if given is None else given
