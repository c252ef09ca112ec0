"""Reads a part of a situation from a journey, for every screen alike."""

from sync.journey.bookings import booking_of
from sync.journey.definitions import Definitions
from sync.journey.model import Exam as JourneyExam
from sync.journey.model import Journey, NextExam
from sync.words.situation import Entry, Exam


def entry_of(definitions: Definitions, journey: Journey) -> Entry | None:
    """Returns the current queue entry of a journey; None without one."""
    entry = journey.current
    if entry is None:
        return None
    return Entry(
        entry.state,
        entry.queue_number,
        entry.exam_name,
        entry.room,
        entry.state in definitions.live,
        entry.moved_from,
        is_room_changed=bool(entry.moved_from_room),
        is_of_another_day=entry.appointment_id is not None and booking_of(journey, entry) is None,
    )


def exam_of(following: NextExam | None) -> Exam | None:
    """Returns the exam that comes next; None without one."""
    return Exam(following.exam_name, following.queue_number or "") if following else None


def desk_of(walk_in: JourneyExam) -> str:
    """Returns where the staff are, in the hospital's own words."""
    return " · ".join(part for part in (walk_in.public_label, walk_in.room) if part)
