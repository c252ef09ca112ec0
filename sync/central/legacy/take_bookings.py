"""Takes the appointments of the old system as bookings."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sync.central.days.schedule import schedule
from sync.central.legacy.context import Judged, LegacyContext, patients_of
from sync.central.legacy.layout import Kind
from sync.central.legacy.reading import OldRow
from sync.central.legacy.reasons import Reason
from sync.central.legacy.values import id_of, moment_of, state_of
from sync.central.records.appointments import BookingRow, Schedule, bookings_by_id, write_booking
from sync.central.records.legacy import kept_ids


def take_bookings(context: LegacyContext, rows: Sequence[OldRow]) -> list[Judged]:
    """Adds a booking for each row. One that an import has brought stays as it is."""
    ids = [id_of(row.holds["id"]) for row in rows]
    good = {each for each in ids if isinstance(each, str)}
    seen = kept_ids(context.db, Kind.APPOINTMENT, good)
    imported = bookings_by_id(context.db, good)
    judged = []
    for row, booking_id, patient_id in zip(rows, ids, patients_of(context, rows), strict=True):
        found = _booking(context, row, booking_id, patient_id, seen)
        if isinstance(found, Reason):
            judged.append(Judged(row, (found,)))
            continue
        booking, reasons = found
        known = imported.get(booking.appointment_id)
        if known is None:
            write_booking(context.db, booking)
        else:
            reasons = [Reason.IMPORTED if known.patient_id == booking.patient_id else Reason.OTHER_PATIENT]
        our_id = None if reasons == [Reason.OTHER_PATIENT] else booking.appointment_id
        seen.add(booking.appointment_id)
        judged.append(Judged(row, reasons, our_id))
    return judged


def _booking(
    context: LegacyContext, row: OldRow, booking_id: str | Reason, patient_id: str | Reason, seen: set[str]
) -> tuple[BookingRow, list[Reason]] | Reason:
    """The booking of a row and what was settled of it, or why the row is bad."""
    names, known = context.layout.states.get("appointment", {}), context.definitions.appointment_states
    status, spelled = state_of(row.holds["state"], names, known)
    exam_id = exam_of(context, row)
    for fault in (booking_id, patient_id, exam_id):
        if isinstance(fault, Reason):
            return fault
    if booking_id in seen:
        return Reason.DUPLICATE
    if status is None:
        return Reason.UNKNOWN_STATE
    when = _when(context, row)
    if isinstance(when, Reason):
        return when
    reasons = [spelled] if spelled else []
    end = context.definitions.day_end
    if when.last_day < context.today and status in end.appointments_from:
        status = end.appointments_to
        reasons.append(Reason.LAPSED)
    return BookingRow(str(booking_id), str(patient_id), str(exam_id), when, status), reasons


def exam_of(context: LegacyContext, row: OldRow) -> str | Reason:
    """The exam of a row."""
    if row.holds.get("exam") is None:
        return Reason.NO_EXAM
    found = Reason.UNKNOWN_EXAM if row.exam is None else id_of(row.exam)
    return found if isinstance(found, Reason) or found in context.exams else Reason.UNKNOWN_EXAM


def _when(context: LegacyContext, row: OldRow) -> Schedule | Reason:
    moment = moment_of(row.holds["time"], context.layout.zone)
    if isinstance(moment, Reason):
        return moment
    try:
        return schedule(context.site, moment.astimezone(ZoneInfo(context.site.site.timezone)).isoformat())
    except (ValueError, OverflowError):
        return Reason.UNREADABLE_TIME
