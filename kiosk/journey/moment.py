"""What one transaction goes by: who this kiosk is, the rules in force, and the time."""

from dataclasses import dataclass

from kiosk.store.patients import Identity, Patient
from sync.clock import ClockReading, site_day
from sync.journey.definitions import Definitions
from sync.journey.model import Actor, Appointment, Journey, Role
from sync.rebase import as_of


@dataclass(frozen=True, slots=True)
class TransactionContext:
    """`at_ms` is the centre's time by this box's monotonic clock where that was told in this boot, whatever the wall
    clock was set to since; else the later of the wall clock and the last roster, since a clock without a battery
    starts in the past. `today` is the site day that it belongs to."""

    identity: Identity
    definitions: Definitions
    clock: ClockReading
    at_ms: int
    today: str

    @property
    def actor(self) -> Actor:
        """This kiosk, with what the centre grants it."""
        return Actor(Role.KIOSK, self.identity.actions)

    @property
    def numbers_since(self) -> str:
        """The first site day whose queue numbers may not be given again now: where the clock is not to be trusted, that
        of the last roster."""
        if self.clock.synchronised:
            return self.today
        return self.day_of(self.identity.as_of_ms) if self.identity.as_of_ms is not None else ""

    def day_of(self, at_ms: int) -> str:
        """The site day of a time."""
        return site_day(at_ms, self.identity.site.timezone, self.identity.site.day_starts_at)

    def bookings(self, patient: Patient, day: str) -> tuple[Appointment, ...]:
        """What is known of a patient's bookings of a day to come. The roster may be days old, so each is looked at."""
        return tuple(booking for booking in patient.tomorrow if self.day_of(booking.scheduled_ms) == day)

    def journey(self, patient: Patient, day: str | None = None) -> Journey:
        """A patient's view as it stands on a site day (today)."""
        day = day or self.today
        return as_of(self.definitions, patient.view, day, self.bookings(patient, day))


def transaction_context(identity: Identity, definitions: Definitions, clock: ClockReading) -> TransactionContext:
    """The moment of a clock reading. Raises ValueError or KeyError where the site's day or time zone are none."""
    at_ms = _at_ms(identity, clock)
    return TransactionContext(
        identity, definitions, clock, at_ms, site_day(at_ms, identity.site.timezone, identity.site.day_starts_at)
    )


def _at_ms(identity: Identity, clock: ClockReading) -> int:
    told_ms, told = identity.as_of_ms or 0, identity.as_of_clock
    if told is None or not told.boot_id or told.boot_id != clock.boot_id or clock.mono_ms < told.mono_ms:
        return max(clock.wall_ms, told_ms)
    return told_ms + clock.mono_ms - told.mono_ms
