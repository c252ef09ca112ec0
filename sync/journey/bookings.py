"""What happens to a booking when its queue entry changes. Pure, as the rules are."""

from collections.abc import Callable

from msgspec.structs import replace

from sync.journey.definitions import Definitions
from sync.journey.model import Appointment, AppointmentChange, Journey, QueueEntry

Changed = tuple[Journey, tuple[AppointmentChange, ...]]


def place_of_booking(booking: Appointment) -> tuple[bool, int, str]:
    """The key by which a patient's bookings are sorted: the earliest first, and those of the whole day last.

    A time may be missed while another exam takes long. An exam that may be at any time of the day cannot be missed.
    """
    return booking.all_day, booking.scheduled_ms, booking.appointment_id


def follow_entry(definitions: Definitions, journey: Journey, entry: QueueEntry, before: str | None) -> Changed:
    """Sets the status of the entry's booking. `before` is the state that the entry had; None where it has just got the
    booking.

    A booking that did not agree with the entry stays: the hospital has changed it since the patient was called.
    """
    booking = booking_of(journey, entry)
    if booking is None or (before is not None and not agrees(definitions, booking, entry, before)):
        return journey, ()
    return set_bookings(journey, lambda each: each is booking, definitions.queue_to_appointment[entry.state])


def booking_of(journey: Journey, entry: QueueEntry) -> Appointment | None:
    """The booking of the journey that an entry was opened for; None where there is none."""
    return next((each for each in journey.appointments if each.appointment_id == entry.appointment_id), None)


def agrees(definitions: Definitions, booking: Appointment, entry: QueueEntry, state: str) -> bool:
    """Whether a booking is for the exam of its entry, and stands as an entry in this state wants it."""
    return booking.exam_id == entry.exam_id and booking.status == definitions.queue_to_appointment.get(state)


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
