"""The grace at the boundary between two days of a site: a patient who comes some minutes early or late is not unknown.

A booking within the last two hours of its day can still be used on the next day, and lapses two hours after its time.
A booking within two hours from now can be used already, even if its day has not begun. Pure, as the rules are.
"""

from sync.journey.model import Appointment

GRACE_MS = 2 * 60 * 60_000


def is_late_in_day(scheduled_ms: int, day_ends_ms: int) -> bool:
    """Whether a booking at this time can be used on the next day too. `day_ends_ms` is the end of its own day."""
    return scheduled_ms >= day_ends_ms - GRACE_MS


def is_within_reach(booking: Appointment, at_ms: int) -> bool:
    """Whether a booking of the next day can be used now."""
    return not booking.all_day and booking.scheduled_ms - at_ms <= GRACE_MS


def lapsed_before_ms(at_ms: int) -> int:
    """The time before which a booking of an earlier day that was not used has lapsed by now."""
    return at_ms - GRACE_MS
