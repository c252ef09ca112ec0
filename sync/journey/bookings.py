"""What happens to a booking when its queue entry changes. Pure, as the rules are."""

from collections.abc import Callable
from dataclasses import replace

from sync.journey.definitions import Definitions
from sync.journey.model import Appointment, AppointmentChange, Journey, QueueEntry

Changed = tuple[Journey, tuple[AppointmentChange, ...]]


def follow_entry(definitions: Definitions, journey: Journey, entry: QueueEntry, before: str = "") -> Changed:
    """Sets the status of the entry's booking: the earliest booking of the exam that has not ended.

    `before` is the state that the entry had, where it may have ended already: then its booking is the last one of the
    exam that ended so.
    """
    ended = {
        definitions.queue_to_appointment[state] for state in definitions.queue_states if state not in definitions.live
    }
    former = definitions.queue_to_appointment.get(before)
    of_exam = sorted(
        (each for each in journey.appointments if each.exam_id == entry.exam_id),
        key=lambda each: (each.scheduled_ms, each.appointment_id),
    )
    if former in ended:
        mine = next((each for each in reversed(of_exam) if each.status == former), None)
    else:
        mine = next((each for each in of_exam if each.status not in ended), None)
    return set_bookings(journey, lambda each: each is mine, definitions.queue_to_appointment[entry.state])


def set_bookings(journey: Journey, chosen: Callable[[Appointment], bool], status: str) -> Changed:
    """Sets the status of the chosen bookings."""
    changes = tuple(
        AppointmentChange(each.appointment_id, each.status, status)
        for each in journey.appointments
        if chosen(each) and each.status != status
    )
    if not changes:
        return journey, ()
    after = tuple(replace(each, status=status) if chosen(each) else each for each in journey.appointments)
    return replace(journey, appointments=after), changes
