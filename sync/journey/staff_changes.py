"""What staff change of an entry beside its state: its priority, its place and its line. Pure, as the rules are."""

from msgspec.structs import replace

from sync.journey.definitions import Definitions
from sync.journey.meaning import is_called, ready, waits
from sync.journey.model import (
    Appointment,
    AppointmentId,
    BuiltIn,
    Decision,
    EntryChange,
    Exam,
    Journey,
    QueueEntry,
    QueueId,
    Refusal,
    RefusalCode,
)
from sync.journey.moves import with_place
from sync.journey.rules import set_entry


def set_priority(
    definitions: Definitions, journey: Journey, queue_id: QueueId, kind: str, reason: str
) -> Decision | Refusal:
    """The journey with the weight of a kind on a live entry; an empty kind takes it back. The state stays."""
    entry, priority = journey.entry(queue_id), definitions.priorities.get(kind)
    if entry is None:
        return Refusal(RefusalCode.NO_SUCH_ENTRY, BuiltIn.SET_PRIORITY, journey.state)
    if entry.state not in definitions.live:
        return Refusal(RefusalCode.NOT_ALLOWED, BuiltIn.SET_PRIORITY, journey.state)
    words = f"{BuiltIn.SET_PRIORITY}: {kind}: {reason}"
    after = replace(
        journey.with_entry(replace(entry, priority=priority.weight if priority else 0)),
        journey_version=journey.journey_version + 1,
    )
    return Decision(after, (), (EntryChange(queue_id, entry.state, entry.state, words),))


def priority_said(words: str) -> tuple[str, str] | None:
    """The kind and the reason of a priority, of the words of its row of history; None for another row."""
    action, _, said = words.partition(": ")
    kind, _, reason = said.partition(": ")
    return (kind.strip(" :"), reason) if action == BuiltIn.SET_PRIORITY else None


def move_entry(
    definitions: Definitions, journey: Journey, queue_id: QueueId, exam: Exam, at_the_end_ms: int | None, reason: str
) -> Decision | Refusal:
    """The journey with an entry in the line of an exam, and its booking with it. The number stays.

    The entry keeps the time by which it stands, or stands by `at_the_end_ms`. One who was called or missed waits again.
    Refused where the patient is being seen, or has a live entry in that line.
    """
    entry = journey.entry(queue_id)
    if entry is None:
        return Refusal(RefusalCode.NO_SUCH_ENTRY, BuiltIn.MOVE_ENTRY, journey.state)
    stays = entry.exam_id == exam.exam_id
    is_before_exam = waits(definitions, entry) or entry.state in definitions.in_line
    if not is_before_exam or (stays and at_the_end_ms is None) or in_line_of(definitions, journey, exam, queue_id):
        return Refusal(RefusalCode.NOT_ALLOWED, BuiltIn.MOVE_ENTRY, journey.state)
    there = entry if stays else _there(entry, exam)
    moved = replace(there, line_ms=entry.line_ms if at_the_end_ms is None else at_the_end_ms)
    after = journey if stays else with_booking_at(journey, entry.appointment_id, exam)
    return set_entry(definitions, after.with_entry(moved), moved, _state(definitions, entry), reason)


def in_line_of(definitions: Definitions, journey: Journey, exam: Exam, but: QueueId) -> bool:
    """Whether the patient has another live entry than `but` in the line of an exam."""
    return any(
        each.exam_id == exam.exam_id and each.state in definitions.live and each.queue_id != but
        for each in journey.entries
    )


def with_booking_at(journey: Journey, appointment_id: AppointmentId | None, exam: Exam) -> Journey:
    """The journey with one of its bookings at another exam."""
    return replace(
        journey,
        appointments=tuple(
            _booking_at(each, exam) if each.appointment_id == appointment_id else each for each in journey.appointments
        ),
    )


def call_again(definitions: Definitions, journey: Journey, queue_id: QueueId) -> Decision | Refusal:
    """A further call of a patient who is called: a row of history. Nothing else changes."""
    entry = journey.entry(queue_id)
    if entry is None:
        return Refusal(RefusalCode.NO_SUCH_ENTRY, BuiltIn.CALL_AGAIN, journey.state)
    if not is_called(definitions, entry):
        return Refusal(RefusalCode.NOT_ALLOWED, BuiltIn.CALL_AGAIN, journey.state)
    return Decision(journey, (), (EntryChange(queue_id, entry.state, entry.state, BuiltIn.CALL_AGAIN),))


def _there(entry: QueueEntry, exam: Exam) -> QueueEntry:
    named = with_place(entry, exam.public_label, exam.room)
    return replace(named, exam_id=exam.exam_id, minutes=exam.minutes, overnight=exam.overnight)


def _booking_at(booking: Appointment, exam: Exam) -> Appointment:
    return replace(
        booking,
        exam_id=exam.exam_id,
        exam_name=exam.public_label,
        room=exam.room,
        minutes=exam.minutes,
        overnight=exam.overnight,
        by_booking=exam.by_booking,
    )


def _state(definitions: Definitions, entry: QueueEntry) -> str:
    """The state of an entry that was moved: it stays where the entry stands in line and waits."""
    if entry.state in definitions.in_line and waits(definitions, entry):
        return entry.state
    return min(ready(definitions))
