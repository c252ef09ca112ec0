"""Takes a row of `exams`. The patients who wait for the exam are told of the change."""

from typing import TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from sync.central.days.open_journey import open_journey
from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import UNCHANGED, RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import ExamPart
from sync.central.records.appointments import patients_booked_for
from sync.central.records.entries import patients_in_line
from sync.central.records.exams import put_exam, read_exam
from sync.central.records.history import day_end
from sync.central.records.journeys import mark_changed, save
from sync.central.store.transactions import WriteTransaction
from sync.clock import day_after, day_before
from sync.journey.model import Exam, ExamId, LineOrder
from sync.journey.moves import follow_exam

T = TypeVar("T")
_DEFAULT = Exam(ExamId(""), "", "", "")


def take_exam(db: WriteTransaction, part: ExamPart, context: ImportContext | None) -> RowOutcome:
    """Adds an exam, or changes what the part names. The queue entries before it follow.

    `context` is None before there is a site: nobody waits then. The caller announces a change to the patients booked
    for the exam.
    """
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
        by_booking=before.by_booking if part.order is UNSET else part.order is LineOrder.BOOKING,
    )
    if not put_exam(db, exam):
        return UNCHANGED
    if known is not None and context is not None:
        _move_waiting(context, known, exam)
    return TakenRow(changed=True)


def _move_waiting(context: ImportContext, before: Exam, exam: Exam) -> None:
    db, definitions = context.db, context.definitions
    days = (day_before(context.today), context.today)  # the day that has just ended may not be closed yet
    for patient_id in patients_in_line(db, exam.exam_id, days, definitions.live):
        journey = open_journey(db, definitions, patient_id, context.today, day_end(context.now_ms))
        decision = journey and follow_exam(definitions, journey, before, exam)
        if journey and decision:
            save(db, journey, decision, context.provenance)


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
