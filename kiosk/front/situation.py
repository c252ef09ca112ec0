"""Reads the situation of the person on the screen, which the words are chosen by: a pure function."""

from kiosk.front.visitor import Visitor
from kiosk.journey.patient_status import PatientStatus
from sync.journey.definitions import Definitions
from sync.words.reading import entry_of, exam_of
from sync.words.situation import Deed, Reversed, Situation


def read_situation(
    definitions: Definitions, visitor: Visitor, status: PatientStatus, action: str | None, online: bool, desk: str
) -> Situation:
    """Returns where a patient stands. `action` is what the screen offers, `desk` where the staff are ("": unknown)."""
    journey, patient = status.journey, status.patient
    return Situation(
        journey=journey.state,
        entry=entry_of(definitions, journey),
        deed=_deed(visitor),
        done=visitor.done or "",
        button=action or "",
        has_bookings=bool(journey.appointments),
        next=exam_of(status.next_exam),
        pending=status.pending > 0,
        needs_staff=status.needs_staff,
        awaited=status.awaited,
        reversals=tuple(Reversed(each.action_type, each.queue_number) for each in visitor.reversals),
        online=online,
        provisional=patient.provisional,
        name=patient.masked_name,
        desk=desk,
    )


def _deed(visitor: Visitor) -> Deed:
    if visitor.acts_s is not None:
        return Deed.HELD
    if visitor.refused:
        return Deed.REFUSED
    if visitor.done:
        return Deed.ACCEPTED
    return Deed.TAPPED_AGAIN if visitor.tapped_again else Deed.NOTHING
