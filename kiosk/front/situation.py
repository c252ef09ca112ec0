"""Reads the situation of the person on the screen, which the words are chosen by: a pure function."""

from kiosk.front.visitor import Visitor
from kiosk.journey.patient_status import PatientStatus
from sync.journey.bookings import booking_of
from sync.journey.definitions import Definitions
from sync.journey.model import Journey, NextExam
from sync.words.situation import Deed, Entry, Exam, Reversed, Situation


def read_situation(
    definitions: Definitions, visitor: Visitor, status: PatientStatus, action: str | None, online: bool, desk: str
) -> Situation:
    """Returns where a patient stands. `action` is what the screen offers, `desk` where the staff are ("": unknown)."""
    journey, patient = status.journey, status.patient
    return Situation(
        journey=journey.state,
        entry=_entry(definitions, journey),
        deed=_deed(visitor),
        done=visitor.done or "",
        button=action or "",
        has_bookings=bool(journey.appointments),
        next=_next(status.next_exam),
        pending=status.pending > 0,
        needs_staff=status.needs_staff,
        awaited=status.awaited,
        reversals=tuple(Reversed(each.action_type, each.queue_number) for each in visitor.reversals),
        online=online,
        provisional=patient.provisional,
        name=patient.masked_name,
        desk=desk,
    )


def _entry(definitions: Definitions, journey: Journey) -> Entry | None:
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


def _deed(visitor: Visitor) -> Deed:
    if visitor.acts_s is not None:
        return Deed.HELD
    if visitor.refused:
        return Deed.REFUSED
    if visitor.done:
        return Deed.ACCEPTED
    return Deed.TAPPED_AGAIN if visitor.tapped_again else Deed.NOTHING


def _next(following: NextExam | None) -> Exam | None:
    return Exam(following.exam_name, following.queue_number or "") if following else None
