"""Replays pending actions on a newer base. Pure, with the same `decide()` as at the tap and at the centre."""

from collections.abc import Callable, Iterable
from itertools import groupby

import msgspec
from msgspec.structs import replace

from sync.journey.bookings import place_of_booking
from sync.journey.day_end import close_day
from sync.journey.definitions import Definitions
from sync.journey.model import Action, ActionId, Appointment, Journey, Refusal, VisitId
from sync.journey.rules import decide


class Pending(msgspec.Struct, frozen=True):
    """A pending action, with the visit, leg, journey state and site day in which it was made."""

    action: Action
    visit_id: VisitId
    leg: int
    journey_state: str
    site_day: str


class Rebased(msgspec.Struct, frozen=True):
    """The journey for the screen (the base with the pending actions on top), and the actions that no longer fit."""

    journey: Journey
    unfit: tuple[ActionId, ...]


def view(
    definitions: Definitions,
    base: Journey,
    pending: Iterable[Pending],
    site_day: str,
    bookings: Callable[[str], tuple[Appointment, ...]],
) -> Rebased:
    """The journey for the screen on a site day: each day's actions on that day's base, with a day's end in between.

    Yesterday's actions move yesterday's journey, and never today's. `bookings` gives the known bookings of a day.
    """
    # A site day in the future comes from a clock that was ahead. The action itself is real.
    ordered = [replace(each, site_day=min(each.site_day, site_day)) for each in pending]
    journey: Journey = base
    unfit: tuple[ActionId, ...] = ()
    for day, actions in groupby(ordered, key=lambda each: each.site_day):
        rebased = rebase(definitions, as_of(definitions, journey, day, bookings(day)), actions)
        journey, unfit = rebased.journey, unfit + rebased.unfit
    return Rebased(as_of(definitions, journey, site_day, bookings(site_day)), unfit)


def rebase(definitions: Definitions, base: Journey, pending: Iterable[Pending]) -> Rebased:
    """The base with the pending actions on top. An action that no longer fits is left out; the centre judges it."""
    journey, unfit = base, []
    for each in pending:
        outcome = decide(definitions, journey, each.action) if fits(journey, each) else None
        if outcome is None or isinstance(outcome, Refusal):
            unfit.append(each.action.action_id)
        else:
            journey = outcome.journey
    return Rebased(journey, tuple(unfit))


def fits(journey: Journey, pending: Pending) -> bool:
    """Whether the journey is as at the action: on that day, in that visit, leg and state.

    So a late confirmation of the first exam never queues the second, and a payment that the base already holds never
    counts as the next one.
    """
    visit_id = pending.visit_id if journey.visit_id is not None else None
    place = (journey.site_day, journey.visit_id, journey.leg, journey.state)
    return place == (pending.site_day, visit_id, pending.leg, pending.journey_state)


def as_of(definitions: Definitions, journey: Journey, site_day: str, bookings: tuple[Appointment, ...]) -> Journey:
    """The journey on a site day. A journey of an earlier day gets a day's end and the new day's `bookings`, after
    those that can still be used.
    """
    if journey.site_day >= site_day:
        return journey
    closed = close_day(definitions, journey, site_day).journey
    # A booking that was used before its day began is not fresh on its day.
    own = {booking.appointment_id for booking in journey.appointments}
    return with_bookings(closed, (each for each in bookings if each.appointment_id not in own))


def with_bookings(journey: Journey, bookings: Iterable[Appointment]) -> Journey:
    """The journey with these bookings besides its own, in their order."""
    own = {booking.appointment_id for booking in journey.appointments}
    more = (each for each in bookings if each.appointment_id not in own)
    return replace(journey, appointments=tuple(sorted((*journey.appointments, *more), key=place_of_booking)))
