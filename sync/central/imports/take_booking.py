"""Takes a row of `appointments`."""

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from sync.central.days.schedule import schedule
from sync.central.imports.change_booking import booking_in_line, change_booking
from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import AppointmentPart, given_or
from sync.central.records.appointments import BookingRow, Schedule, Withdrawn, read_booking
from sync.central.records.exams import is_exam
from sync.central.records.patients import patient_named
from sync.journey.definitions import Definitions
from sync.journey.meaning import came_to_nothing, cancellation, is_done

_NEVER_KNOWN = TakenRow(changed=False, note="the booking is cancelled, and was never known here")
_DONE = "the exam is done, so the booking was not cancelled"


def take_booking(context: ImportContext, part: AppointmentPart) -> RowOutcome:
    """Adds, changes or cancels a booking. A refused row leaves the database as it was.

    The queue entry of the booking follows. Where the patient is called or being seen, staff get a case instead.
    """
    refused = _refused_status(context.definitions, part)
    if refused is not None:
        return refused
    known = read_booking(context.db, part.appointment_id)
    if known is None and _cancels(context.definitions, part):
        return _NEVER_KNOWN
    said = _said(context, part, known)
    if isinstance(said, RefusedRow):
        return said
    line = booking_in_line(context, part.appointment_id)
    before = read_booking(context.db, part.appointment_id)  # the end of the patient's day may have changed it
    after = _with_status(context.definitions, part, before, said, in_line=line is not None)
    is_kept = _cancels(context.definitions, part) and after.withdrawn is None
    if after != before:
        change_booking(context, after, before, line)
    return TakenRow(changed=after != before, note=_DONE if is_kept else "")


def _refused_status(definitions: Definitions, part: AppointmentPart) -> RefusedRow | None:
    """A document says whether a booking stands. What became of it here, only this service says."""
    rule = cancellation(definitions)
    words = [definitions.fresh_appointment, *([rule.no_entry] if rule else [])]
    if part.status is UNSET or part.status in words:
        return None
    return RefusedRow(f"status is {part.status}, and a document may only say {' or '.join(map(str, words))}")


def _cancels(definitions: Definitions, part: AppointmentPart) -> bool:
    return part.status is not UNSET and part.status != definitions.fresh_appointment


def _said(context: ImportContext, part: AppointmentPart, known: BookingRow | None) -> BookingRow | RefusedRow:
    """The booking with what the part says of its patient, its exam and its time, or why the part is refused."""
    db = context.db
    named = given_or(part.patient_id, known.patient_id if known else None)
    exam_id = given_or(part.exam_id, known.exam_id if known else None)
    if named is None or exam_id is None:
        return RefusedRow("patient_id or exam_id is missing, and no earlier row named it")
    patient_id = patient_named(db, named)
    if patient_id is None:
        return RefusedRow(f"unknown patient: {named}")
    if not is_exam(db, exam_id):
        return RefusedRow(f"unknown exam: {exam_id}")
    if known is not None and known.patient_id != patient_id:
        return RefusedRow("the booking is another patient's")
    when = _when(context, part, known.schedule if known else None)
    if isinstance(when, RefusedRow):
        return when
    status = known.status if known else context.definitions.fresh_appointment
    row = BookingRow(part.appointment_id, patient_id, exam_id, when, status, known.withdrawn if known else None)
    return replace(row, **_moved_by_staff(part, known))


def _moved_by_staff(part: AppointmentPart, known: BookingRow | None) -> dict[str, str | None]:
    """The exam of a booking that staff have moved to it. It stays while a document says the same exam as before."""
    if known is None or known.said_exam_id is None or part.exam_id not in (UNSET, known.said_exam_id):
        return {}
    return {"exam_id": known.exam_id, "said_exam_id": known.said_exam_id}


def _when(context: ImportContext, part: AppointmentPart, known: Schedule | None) -> Schedule | RefusedRow:
    if isinstance(part.scheduled_at, UnsetType):
        return known or RefusedRow("scheduled_at is missing, and no earlier row named it")
    try:
        when = schedule(context.site, part.scheduled_at)
    except ValueError as error:
        return RefusedRow(f"scheduled_at {error}")
    # The same moment stays on the day on which the booking is used, and the same words mean what they meant. A
    # correction of the site's clock goes its own way: `days/derive.py`.
    if known is None or not (known.said == when.said or _moment(known) == _moment(when)):
        return when
    return replace(known, said=when.said)


def _with_status(
    definitions: Definitions, part: AppointmentPart, before: BookingRow | None, said: BookingRow, *, in_line: bool
) -> BookingRow:
    """The booking with its status after the part. `in_line`: its queue entry is live."""
    if before is None:
        return said
    rule = cancellation(definitions)
    if rule is not None and rule.no_entry is not None and _cancels(definitions, part):
        if is_done(definitions, before.status):
            return replace(said, status=before.status, withdrawn=None)
        return replace(said, status=rule.no_entry, withdrawn=Withdrawn.ROW)
    if _is_fresh(definitions, part, before, said, in_line=in_line):
        return replace(said, status=definitions.fresh_appointment, withdrawn=None)
    return replace(said, status=before.status, withdrawn=before.withdrawn)


def _is_fresh(
    definitions: Definitions, part: AppointmentPart, before: BookingRow, said: BookingRow, *, in_line: bool
) -> bool:
    """Whether nothing counts any more that happened to the booking here.

    So it is on another day, for another exam, with another time after it was missed or cancelled, and where the
    hospital's system has it again. Each night's document says again that a booking stands: what staff cancelled stays
    cancelled.
    """
    if before.withdrawn is Withdrawn.LEFT_OUT or (before.withdrawn and part.status is not UNSET):
        return True
    if before.schedule.site_day != said.schedule.site_day:
        return True
    if before.exam_id != said.exam_id:
        return before.status not in definitions.open_appointments
    is_rebooked = _moment(before.schedule) != _moment(said.schedule) and came_to_nothing(definitions, before.status)
    return is_rebooked and not in_line


def _moment(when: Schedule) -> tuple[int, bool]:
    return when.scheduled_ms, when.all_day
