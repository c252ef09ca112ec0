"""The time by which an entry stands in the line of its exam: that of its arrival or of its booking. Pure."""

from msgspec.structs import replace

from sync.journey.bookings import booking_of
from sync.journey.definitions import Definitions
from sync.journey.model import Appointment, Journey, QueueEntry

_MINUTE_MS = 60_000


def stands_ms(entry: QueueEntry) -> int:
    """The time by which an entry stands in its line."""
    return entry.opened_ms if entry.line_ms is None else entry.line_ms


def booked_place_ms(definitions: Definitions, booking: Appointment | None, arrived_ms: int) -> int | None:
    """The booked time, where the line of the exam stands by bookings and the patient came for it in time; else None.

    Who comes later than `late_after_minutes` after it stands by the arrival, like one without a booking.
    """
    if booking is None or not booking.by_booking or booking.all_day:
        return None
    is_late = arrived_ms > booking.scheduled_ms + definitions.late_after_minutes * _MINUTE_MS
    return None if is_late else booking.scheduled_ms


def at_booked_place(definitions: Definitions, entry: QueueEntry, booking: Appointment | None) -> QueueEntry:
    """The entry at the place that its booking gives it."""
    return replace(entry, line_ms=booked_place_ms(definitions, booking, entry.opened_ms))


def at_earlier_arrival(definitions: Definitions, entry: QueueEntry, journey: Journey, arrived_ms: int) -> QueueEntry:
    """The entry with the earlier of two times of arrival. By that one its patient may be in time for the booking."""
    if arrived_ms >= entry.opened_ms:
        return entry
    place_ms = booked_place_ms(definitions, booking_of(journey, entry), arrived_ms)
    return replace(entry, opened_ms=arrived_ms, line_ms=entry.line_ms if place_ms is None else place_ms)
