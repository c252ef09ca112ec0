"""What becomes of a queue entry whose booking the hospital has moved or cancelled. Pure, as the rules are."""

from dataclasses import replace

from sync.journey.bookings import booking_of, follow_entry
from sync.journey.definitions import Definitions
from sync.journey.meaning import cancellation, waits
from sync.journey.model import Appointment, AppointmentChange, BuiltIn, Decision, EntryChange, Journey, QueueEntry
from sync.journey.rules import entry_for, set_entry


def follow_booking(definitions: Definitions, journey: Journey, entry: QueueEntry) -> Decision | None:
    """The journey after its live entry has followed its booking. `journey` holds the bookings as they are now.

    A waiting entry moves to the line of the booking's exam, with its number and its time of arrival. It ends where the
    booking is cancelled, or is of another day. None where the patient is called or being seen: nothing moves then, and
    staff have to decide.
    """
    booking = booking_of(journey, entry)
    if booking is not None and not _is_cancelled(definitions, booking):
        if booking.exam_id == entry.exam_id:
            return _decided(journey, *follow_entry(definitions, journey, entry, None))
        return _move(definitions, journey, entry, booking) if waits(definitions, entry) else None
    return _end(definitions, journey, entry) if waits(definitions, entry) else None


def _is_cancelled(definitions: Definitions, booking: Appointment) -> bool:
    rule = cancellation(definitions)
    return rule is not None and booking.status == rule.no_entry


def _move(definitions: Definitions, journey: Journey, entry: QueueEntry, booking: Appointment) -> Decision | None:
    """The entry in the line of the booking's exam. Where the patient has a place there without a booking, that place
    gets the booking and the earlier of the two times of arrival, and the entry ends.
    """
    there = entry_for(definitions, journey, booking)
    if there is not None:
        opened_ms = min(there.opened_ms, entry.opened_ms)
        joined = replace(there, appointment_id=booking.appointment_id, opened_ms=opened_ms)
        followed, bookings = follow_entry(definitions, journey.with_entry(joined), joined, None)
        ended = _end(definitions, followed, entry)
        return ended and replace(ended, appointment_changes=bookings)
    first_name = entry.moved_from or entry.exam_name
    moved = replace(
        entry,
        exam_id=booking.exam_id,
        exam_name=booking.exam_name,
        room=booking.room,
        minutes=booking.minutes,
        overnight=booking.overnight,
        moved_from="" if first_name == booking.exam_name else first_name,
    )
    change = EntryChange(entry.queue_id, entry.state, entry.state, BuiltIn.MOVE_BOOKING)
    followed, bookings = follow_entry(definitions, journey.with_entry(moved), moved, None)
    return replace(_decided(journey, followed, bookings), entry_changes=(change,))


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
