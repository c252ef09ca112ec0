"""The context that one transaction of the journey service uses: the kiosk's identity, the rules, and the time."""

from msgspec import Struct

from kiosk.store.identity import Identity
from kiosk.store.patients import Patient
from sync.cards import CardKeys
from sync.clock import ClockReading, day_after, local_ms, site_day
from sync.journey.definitions import Definitions
from sync.journey.grace import is_within_reach
from sync.journey.model import Actor, Appointment, Journey, Role
from sync.rebase import as_of


class TransactionContext(Struct, frozen=True):
    """The kiosk, its card keys and the time of one transaction.

    `at_ms` is UTC ms, `today` the site day that it belongs to.

    Where the centre has sent the time in this boot, `at_ms` is that time plus what the monotonic clock has counted
    since. Else it is the later of the wall clock and the last roster: a clock without a battery starts in the past.
    """

    identity: Identity
    definitions: Definitions
    clock: ClockReading
    at_ms: int
    today: str
    keys: CardKeys

    @property
    def actor(self) -> Actor:
        """This kiosk, with the actions that the centre grants it."""
        return Actor(Role.KIOSK, self.identity.actions)

    @property
    def numbers_since(self) -> str:
        """The first site day whose queue numbers must not be given again: the day of the last whole roster.

        The roster of a new day tells which numbers of earlier days are still in use. Until it comes the count goes on.
        """
        return self.day_of(self.identity.as_of_ms) if self.identity.as_of_ms is not None else ""

    def day_of(self, at_ms: int) -> str:
        """Returns the site day of a time (UTC ms)."""
        return site_day(at_ms, self.identity.site.timezone, self.identity.site.day_starts_at)

    def bookings(self, patient: Patient, day: str) -> tuple[Appointment, ...]:
        """Returns the known bookings of a patient on a day after the day of the base. The roster may be days old."""
        return tuple(booking for booking in patient.tomorrow if self.day_of(booking.scheduled_ms) == day)

    def within_reach(self, patient: Patient) -> tuple[Appointment, ...]:
        """Returns the bookings of the day after the base that can be used before that day begins.

        A verdict may have brought a base of a later day than the page that brought `tomorrow`.
        """
        if not patient.tomorrow:
            return ()
        site = self.identity.site
        ends_ms = local_ms(day_after(patient.base.site_day), site.day_starts_at, site.timezone)
        of_next_day = (each for each in patient.tomorrow if each.scheduled_ms >= ends_ms)
        return tuple(each for each in of_next_day if is_within_reach(each, min(self.at_ms, ends_ms)))

    def journey(self, patient: Patient, day: str | None = None) -> Journey:
        """Returns a patient's view on a site day (None: today)."""
        day = day or self.today
        return as_of(self.definitions, patient.view, day, self.bookings(patient, day))


def transaction_context(
    identity: Identity, definitions: Definitions, clock: ClockReading, keys: CardKeys
) -> TransactionContext:
    """Returns the context at a clock reading. Raises ValueError or KeyError where the site's time zone or start of the
    day cannot be used."""
    at_ms = _at_ms(identity, clock)
    return TransactionContext(
        identity, definitions, clock, at_ms, site_day(at_ms, identity.site.timezone, identity.site.day_starts_at), keys
    )


def _at_ms(identity: Identity, clock: ClockReading) -> int:
    roster_ms, roster_clock = identity.as_of_ms or 0, identity.as_of_clock
    same_boot = roster_clock is not None and bool(roster_clock.boot_id) and roster_clock.boot_id == clock.boot_id
    if roster_clock is None or not same_boot or clock.mono_ms < roster_clock.mono_ms:
        return max(clock.wall_ms, roster_ms)
    return roster_ms + clock.mono_ms - roster_clock.mono_ms
