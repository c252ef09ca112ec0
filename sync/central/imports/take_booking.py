"""Takes a row of `appointments`."""

from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import UnsetType

from sync.central.imports.announce import announce
from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import UNCHANGED, RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import AppointmentPart, given_or
from sync.central.records.appointments import BookingRow, read_booking, write_booking
from sync.central.records.exams import is_exam
from sync.central.records.patients import patient_named
from sync.central.records.roster import is_on_roster
from sync.journey.definitions import Definitions
from sync.journey.meaning import came_to_nothing

_YEARS = range(2000, 3000)


def take_booking(context: ImportContext, part: AppointmentPart) -> RowOutcome:
    """Adds or changes a booking. A refused row leaves the database as it was."""
    db, known = context.db, read_booking(context.db, part.appointment_id)
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
    scheduled_ms = known.scheduled_ms if known else None
    if not isinstance(part.scheduled_at, UnsetType):
        moment = _moment(context, part.scheduled_at)
        if isinstance(moment, RefusedRow):
            return moment
        scheduled_ms = moment
    if scheduled_ms is None:
        return RefusedRow("scheduled_at is missing, and no earlier row named it")
    if known and (known.patient_id, known.exam_id, known.scheduled_ms) == (patient_id, exam_id, scheduled_ms):
        return UNCHANGED
    status, day = context.definitions.fresh_appointment, context.site.day(scheduled_ms)
    if known is not None and known.site_day == day and not _is_rebooked(context.definitions, known, scheduled_ms):
        status = known.status
    was_on_roster = is_on_roster(db, context.definitions, patient_id, context.today)
    write_booking(db, BookingRow(part.appointment_id, patient_id, exam_id, scheduled_ms, day, status))
    announce(context, patient_id, was_on_roster=was_on_roster)
    return TakenRow(changed=True)


def _is_rebooked(definitions: Definitions, known: BookingRow, scheduled_ms: int) -> bool:
    """Whether a booking that was cancelled or missed got another time within its day."""
    return known.scheduled_ms != scheduled_ms and came_to_nothing(definitions, known.status)


def _moment(context: ImportContext, scheduled_at: str) -> int | RefusedRow:
    try:
        moment = datetime.fromisoformat(scheduled_at)
    except ValueError:
        return RefusedRow("scheduled_at is no ISO 8601 time")
    if moment.year not in _YEARS:
        return RefusedRow("scheduled_at is not within 2000 to 2999")
    local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(context.site.site.timezone))
    return int(local.timestamp() * 1000)
