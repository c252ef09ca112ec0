"""Takes the queue of the old system: a queue entry for each row, with the number that was printed."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sync.central.legacy.context import Judged, LegacyContext, patients_of
from sync.central.legacy.layout import Kind
from sync.central.legacy.reading import OldRow
from sync.central.legacy.reasons import Reason
from sync.central.legacy.take_bookings import exam_of
from sync.central.legacy.values import id_of, state_of
from sync.central.records.appointments import BookingRow, bookings_by_id
from sync.central.records.entries import unfinished_numbers, write_entry
from sync.central.records.legacy import kept_ids
from sync.central.records.queue_numbers import next_queue_number
from sync.clock import day_before
from sync.journey.definitions import Definitions
from sync.journey.model import AppointmentId, Exam, Journey, PatientId, QueueEntry, QueueId

_FIRST_LEG = 1
NumberInLine = tuple[str, str, str]  # a queue number, its exam and its day


def unfinished(definitions: Definitions) -> frozenset[str]:
    """The states of an entry whose patient waits or is seen: the live ones, without that to which a day's end leads."""
    return frozenset(definitions.live) - {definitions.day_end.entries_to}


def take_entries(context: LegacyContext, rows: Sequence[OldRow]) -> list[Judged]:
    """Adds an entry for each row. The journeys follow with the patients' states."""
    found = _look_up(context, rows)
    patients = patients_of(context, rows)
    return [_take(context, found, row, patient_id) for row, patient_id in zip(rows, patients, strict=True)]


class _Found(msgspec.Struct, frozen=True):
    """What the centre has of a portion: queue ids that rows have brought, numbers in use, bookings by their ids."""

    seen: set[str]
    used: set[NumberInLine]
    booked: Mapping[str, BookingRow]


class _Named(msgspec.Struct, frozen=True):
    """What a row names: its id, its patient and exam, its state, and whether that was spelled otherwise."""

    queue_id: str
    patient_id: str
    exam: Exam
    state: str
    spelled: Reason | None


def _look_up(context: LegacyContext, rows: Sequence[OldRow]) -> _Found:
    ids = {found for row in rows if isinstance(found := id_of(row.holds["id"]), str)}
    numbers = {found for row in rows if isinstance(found := printed_number(row.holds.get("number")), str)}
    named = {found for row in rows if isinstance(found := id_of(row.holds.get("appointment")), str)}
    return _Found(
        kept_ids(context.db, Kind.QUEUE, ids),
        unfinished_numbers(context.db, numbers - {""}, unfinished(context.definitions)),
        bookings_by_id(context.db, named),
    )


def _take(context: LegacyContext, found: _Found, row: OldRow, patient_id: str | Reason) -> Judged:
    named = _named(context, found, row, patient_id)
    if isinstance(named, Reason):
        return Judged(row, (named,))
    found.seen.add(named.queue_id)
    is_unfinished = named.state in unfinished(context.definitions)
    opened_ms, late = context.when(row)
    is_of_today = is_unfinished or opened_ms < context.now_ms
    day = context.site.day(opened_ms) if is_of_today else day_before(context.today)
    booking, stray = _booking(found, row, named, day if is_unfinished else "")
    number, aliases, renumbered = _number(context, found, row, (named.exam.exam_id, day), is_unfinished=is_unfinished)
    entry = QueueEntry(
        QueueId(named.queue_id),
        named.exam.exam_id,
        named.exam.public_label,
        named.exam.room,
        named.state,
        number,
        _FIRST_LEG,
        opened_ms,
        minutes=named.exam.minutes,
        overnight=named.exam.overnight,
        label_aliases=aliases,
        appointment_id=booking,
    )
    of_day = Journey(PatientId(named.patient_id), context.definitions.initial, day)
    write_entry(context.db, of_day, entry, fresh=True)
    reasons = [reason for reason in (named.spelled, late, stray, renumbered) if reason]
    return Judged(row, reasons, named.queue_id)


def _named(context: LegacyContext, found: _Found, row: OldRow, patient_id: str | Reason) -> _Named | Reason:
    """What a row names, or why it is bad."""
    queue_id, exam_id = id_of(row.holds["id"]), exam_of(context, row)
    if isinstance(queue_id, Reason):
        return queue_id
    if isinstance(patient_id, Reason):
        return patient_id
    if isinstance(exam_id, Reason):
        return exam_id
    if queue_id in found.seen:
        return Reason.DUPLICATE
    names, known = context.layout.states.get("queue", {}), context.definitions.queue_states
    state, spelled = state_of(row.holds["state"], names, known)
    return _Named(queue_id, patient_id, context.exams[exam_id], state, spelled) if state else Reason.UNKNOWN_STATE


def _booking(found: _Found, row: OldRow, named: _Named, day: str) -> tuple[AppointmentId | None, Reason | None]:
    """The booking that an entry is for. That of a live entry is of its `day`; "" for an entry that has ended."""
    if row.holds.get("appointment") is None:
        return None, None
    booking = found.booked.get(str(id_of(row.holds["appointment"])))
    if booking is None or (booking.patient_id, booking.exam_id) != (named.patient_id, named.exam.exam_id):
        return None, Reason.UNKNOWN_BOOKING
    if day not in ("", booking.schedule.site_day):
        return None, Reason.UNKNOWN_BOOKING
    return AppointmentId(booking.appointment_id), None


def printed_number(value: Any) -> str | Reason:
    """The number that was printed, of the value of an old row; "" without one."""
    return "" if value in (None, "") else id_of(value)


def _number(
    context: LegacyContext, found: _Found, row: OldRow, line: tuple[str, str], *, is_unfinished: bool
) -> tuple[str, tuple[str, ...], Reason | None]:
    """The number of an entry, and the other one that was printed for it. `line` is its exam and its day.

    Each exam may count by itself in the old system. Where two wait in one line with the same number, the later one gets
    a number of the centre, and the printed one is still known as its own.
    """
    printed = printed_number(row.holds.get("number"))
    number = printed if isinstance(printed, str) else ""
    if not is_unfinished:
        return number, (), None if isinstance(printed, str) else Reason.NUMBER
    if number and (number, *line) not in found.used:
        found.used.add((number, *line))
        return number, (), None
    _, day = line
    given = next_queue_number(context.db, context.definitions, context.site.ticket_prefix, day, context.now_ms)
    return given, (number,) if number else (), Reason.NUMBER
