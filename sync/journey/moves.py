"""What becomes of a queue entry whose booking or exam the hospital has changed. Pure, as the rules are."""

from msgspec.structs import replace

from sync.journey.bookings import booking_of, follow_entry
from sync.journey.definitions import Definitions
from sync.journey.line import at_booked_place
from sync.journey.meaning import cancellation, waits
from sync.journey.model import (
    Appointment,
    AppointmentChange,
    BuiltIn,
    Decision,
    EntryChange,
    Exam,
    Journey,
    QueueEntry,
)
from sync.journey.rules import entry_for, set_entry


def follow_booking(definitions: Definitions, journey: Journey, entry: QueueEntry) -> Decision | None:
    """The journey after its live entry has followed its booking. `journey` holds the bookings as they are now.

    A waiting entry moves to the line of the booking's exam, with its number and its time of arrival. In a line that
    stands by bookings it goes to the place of the booked time. One that stays in another line keeps its place, which
    staff may have given it. It ends where the booking is cancelled, or is of another day. None where the patient is
    called or being seen: nothing moves then, and staff have to decide.
    """
    booking = booking_of(journey, entry)
    if booking is not None and not _is_cancelled(definitions, booking):
        if booking.exam_id == entry.exam_id:
            stands = at_booked_place(definitions, entry, booking) if booking.by_booking else entry
            return _decided(journey, *follow_entry(definitions, journey.with_entry(stands), stands, None))
        return _move(definitions, journey, entry, booking) if waits(definitions, entry) else None
    return _end(definitions, journey, entry) if waits(definitions, entry) else None


def follow_exam(definitions: Definitions, journey: Journey, before: Exam, exam: Exam) -> Decision | None:
    """The journey after its entries have followed a change of their exam; None where nothing changes.

    A room that staff named in a call stays. So does all of an entry whose patient is being seen.
    """

    def now(entry: QueueEntry) -> QueueEntry:
        is_before_exam = waits(definitions, entry) or entry.state in definitions.in_line
        if entry.exam_id != exam.exam_id or not is_before_exam:
            return entry
        room = exam.room if entry.room == before.room else entry.room
        there = replace(with_place(entry, exam.public_label, room), minutes=exam.minutes, overnight=exam.overnight)
        if before.by_booking == exam.by_booking:
            return there
        return at_booked_place(definitions, there, booking_of(journey, there))

    after = replace(journey, entries=tuple(now(entry) for entry in journey.entries))
    return None if after == journey else _decided(journey, after, ())


def _is_cancelled(definitions: Definitions, booking: Appointment) -> bool:
    rule = cancellation(definitions)
    return rule is not None and booking.status == rule.no_entry


def _move(definitions: Definitions, journey: Journey, entry: QueueEntry, booking: Appointment) -> Decision | None:
    """The entry in the line of the booking's exam. Where the patient has a place there without a booking, that place
    gets the booking, the earlier of the two times of arrival and the numbers on paper, and the entry ends.
    """
    there = entry_for(definitions, journey, booking)
    if there is not None:
        joined = replace(
            there,
            appointment_id=booking.appointment_id,
            opened_ms=min(there.opened_ms, entry.opened_ms),
            label_aliases=tuple(dict.fromkeys((*there.label_aliases, entry.queue_number, *entry.label_aliases))),
        )
        joined = at_booked_place(definitions, joined, booking)
        followed, bookings = follow_entry(definitions, journey.with_entry(joined), joined, None)
        ended = _end(definitions, followed, entry)
        return ended and replace(ended, appointment_changes=bookings)
    moved = replace(
        with_place(entry, booking.exam_name, booking.room),
        exam_id=booking.exam_id,
        minutes=booking.minutes,
        overnight=booking.overnight,
    )
    moved = at_booked_place(definitions, moved, booking)
    change = EntryChange(entry.queue_id, entry.state, entry.state, BuiltIn.MOVE_BOOKING)
    followed, bookings = follow_entry(definitions, journey.with_entry(moved), moved, None)
    return replace(_decided(journey, followed, bookings), entry_changes=(change,))


def on_ticket(entry: QueueEntry, printed: Exam) -> QueueEntry:
    """An entry whose number was printed for this exam. It may have been opened for another one."""
    before = replace(entry, exam_name=printed.public_label, room=printed.room)
    return with_place(before, entry.exam_name, entry.room)


def with_place(entry: QueueEntry, exam_name: str, room: str) -> QueueEntry:
    """The entry with another name and room of its exam. It keeps what its ticket says, where that is another one."""
    name_before, room_before = entry.moved_from or entry.exam_name, entry.moved_from_room or entry.room
    return replace(
        entry,
        exam_name=exam_name,
        room=room,
        moved_from="" if name_before == exam_name else name_before,
        moved_from_room="" if room_before == room else room_before,
    )


def _end(definitions: Definitions, journey: Journey, entry: QueueEntry) -> Decision | None:
    """The entry ended as by a cancellation of staff; None where the rules have none."""
    rule = cancellation(definitions)
    if rule is None or rule.entry is None:
        return None
    return set_entry(definitions, journey, entry, rule.entry.target, BuiltIn.MOVE_BOOKING)


def _decided(before: Journey, after: Journey, bookings: tuple[AppointmentChange, ...]) -> Decision:
    """A decision that changes the journey's version, unless nothing has changed."""
    version = before.journey_version + int(after != before)
    return Decision(replace(after, journey_version=version), (), (), bookings)
