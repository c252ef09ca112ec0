"""Takes the queue of the old system: a queue entry for each row, with the number that was printed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sync.central.legacy.context import Judged, LegacyContext, patients_of
from sync.central.legacy.layout import Kind
from sync.central.legacy.reading import OldRow
from sync.central.legacy.reasons import Reason
from sync.central.legacy.take_bookings import exam_of
from sync.central.legacy.values import happened_ms, id_of, state_of
from sync.central.records.appointments import BookingRow, bookings_by_id
from sync.central.records.entries import unfinished_numbers, write_entry
from sync.central.records.legacy import kept_ids
from sync.central.records.queue_numbers import next_queue_number
from sync.clock import day_before
from sync.journey.definitions import Definitions
from sync.journey.model import AppointmentId, Journey, PatientId, QueueEntry, QueueId

_FIRST_LEG = 1
NumberInLine = tuple[str, str, str]  # a queue number, its exam and its day


def unfinished(definitions: Definitions) -> frozenset[str]:
    """The states of an entry whose patient waits or is seen: the live ones, without that to which a day's end leads."""
    return frozenset(definitions.live) - {definitions.day_end.entries_to}


def take_entries(context: LegacyContext, rows: Sequence[OldRow]) -> list[Judged]:
    """Adds an entry for each row. The journeys follow with the patients' states."""
    ids = [id_of(row.holds["id"]) for row in rows]
    seen = kept_ids(context.db, Kind.QUEUE, {each for each in ids if isinstance(each, str)})
    numbers = {found for row in rows if isinstance(found := printed_number(row.holds.get("number")), str) and found}
    used = unfinished_numbers(context.db, numbers, unfinished(context.definitions))
    named = {found for row in rows if isinstance(found := id_of(row.holds.get("appointment")), str)}
    booked = bookings_by_id(context.db, named)
    judged = []
    for row, queue_id, patient_id in zip(rows, ids, patients_of(context, rows), strict=True):
        exam_id = exam_of(context, row)
        fault = next((each for each in (queue_id, patient_id, exam_id) if isinstance(each, Reason)), None)
        if fault is None and queue_id in seen:
            fault = Reason.DUPLICATE
        state, spelled = _state(context, row)
        if fault or state is None:
            judged.append(Judged(row, (fault or Reason.UNKNOWN_STATE,)))
            continue
        seen.add(str(queue_id))
        reasons = [spelled] if spelled else []
        _add(context, row, str(queue_id), str(patient_id), str(exam_id), state, booked, used, reasons)
        judged.append(Judged(row, reasons, str(queue_id)))
    return judged


def _state(context: LegacyContext, row: OldRow) -> tuple[str | None, Reason | None]:
    return state_of(row.holds["state"], context.layout.states.get("queue", {}), context.definitions.queue_states)


def _add(
    context: LegacyContext,
    row: OldRow,
    queue_id: str,
    patient_id: str,
    exam_id: str,
    state: str,
    booked: Mapping[str, BookingRow],
    used: set[NumberInLine],
    reasons: list[Reason],
) -> None:
    """Writes an entry, and adds what was settled to the reasons."""
    is_unfinished = state in unfinished(context.definitions)
    opened_ms, fault = happened_ms(row.holds.get("time"), context.layout.zone, context.now_ms)
    if fault and "time" in row.holds:
        reasons.append(fault)
    is_of_today = is_unfinished or fault is not Reason.NO_TIME
    day = context.site.day(opened_ms) if is_of_today else day_before(context.today)
    exam = context.exams[exam_id]
    booking = _booking(row.holds.get("appointment"), booked, reasons, patient_id, exam_id, day if is_unfinished else "")
    number, aliases = _number_and_aliases(context, row, (exam_id, day), used, reasons, is_unfinished=is_unfinished)
    entry = QueueEntry(
        QueueId(queue_id),
        exam.exam_id,
        exam.public_label,
        exam.room,
        state,
        number,
        _FIRST_LEG,
        opened_ms,
        minutes=exam.minutes,
        overnight=exam.overnight,
        label_aliases=aliases,
        appointment_id=booking,
    )
    of_day = Journey(PatientId(patient_id), context.definitions.initial, day)
    write_entry(context.db, of_day, entry, fresh=True)


def _booking(
    named: Any, booked: Mapping[str, BookingRow], reasons: list[Reason], patient_id: str, exam_id: str, day: str
) -> AppointmentId | None:
    """The booking that an entry is for. That of a live entry is of its `day`; "" for an entry that has ended."""
    if named is None:
        return None
    found = booked.get(str(id_of(named)))
    if found and (found.patient_id, found.exam_id) == (patient_id, exam_id) and day in ("", found.schedule.site_day):
        return AppointmentId(found.appointment_id)
    reasons.append(Reason.UNKNOWN_BOOKING)
    return None


def printed_number(value: Any) -> str | Reason:
    """The number that was printed, of the value of an old row; "" without one."""
    return "" if value in (None, "") else id_of(value)


def _number_and_aliases(
    context: LegacyContext,
    row: OldRow,
    line: tuple[str, str],
    used: set[NumberInLine],
    reasons: list[Reason],
    *,
    is_unfinished: bool,
) -> tuple[str, tuple[str, ...]]:
    """The number of an entry, and the other one that was printed for it.

    Each exam may count by itself in the old system. Where two wait in one line with the same number, the later one gets
    a number of the centre, and the printed one is still known as its own.
    """
    printed = printed_number(row.holds.get("number"))
    number = printed if isinstance(printed, str) else ""
    if not is_unfinished:
        if isinstance(printed, Reason):
            reasons.append(Reason.NUMBER)
        return number, ()
    if number and (number, *line) not in used:
        used.add((number, *line))
        return number, ()
    reasons.append(Reason.NUMBER)
    _, day = line
    given = next_queue_number(context.db, context.definitions, context.site.ticket_prefix, day, context.now_ms)
    return given, (number,) if number else ()
