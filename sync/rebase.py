"""Replays what is pending on a newer base: pure, with the same `decide()` as everywhere."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from sync.journey.definitions import Definitions
from sync.journey.model import Action, ActionId, Appointment, Journey, Refusal, VisitId
from sync.journey.rules import close_day, decide


@dataclass(frozen=True, slots=True)
class Pending:
    """A pending action with the visit, the leg, the journey state and the site day it was made in."""

    action: Action
    visit_id: VisitId
    leg: int
    journey_state: str
    site_day: str


@dataclass(frozen=True, slots=True)
class Rebased:
    """The journey that the screen shows (base with pending on top), and which pending actions no longer fit."""

    journey: Journey
    unfit: tuple[ActionId, ...]


def view(
    definitions: Definitions,
    base: Journey,
    pending: Iterable[Pending],
    site_day: str,
    bookings: Callable[[str], tuple[Appointment, ...]],
) -> Rebased:
    """What is shown on a site day: each day's pending actions on the base as it stands that day, and then day's end.

    What was done yesterday moves yesterday's journey, and never today's. `bookings` are those known of a day.
    """
    # A day that has not come is a clock that was ahead: the person stood here all the same.
    ordered = [replace(each, site_day=min(each.site_day, site_day)) for each in pending]
    journey: Journey = base
    unfit: tuple[ActionId, ...] = ()
    for day, of_day in groupby(ordered, key=lambda each: each.site_day):
        rebased = rebase(definitions, as_of(definitions, journey, day, bookings(day)), of_day)
        journey, unfit = rebased.journey, unfit + rebased.unfit
    return Rebased(as_of(definitions, journey, site_day, bookings(site_day)), unfit)


def rebase(definitions: Definitions, base: Journey, pending: Iterable[Pending]) -> Rebased:
    """Base ⊕ pending. An action that no longer fits is left out of the view; its verdict is the centre's to give."""
    journey, unfit = base, []
    for each in pending:
        outcome = decide(definitions, journey, each.action) if fits(journey, each) else None
        if outcome is None or isinstance(outcome, Refusal):
            unfit.append(each.action.action_id)
        else:
            journey = outcome.journey
    return Rebased(journey, tuple(unfit))


def fits(journey: Journey, pending: Pending) -> bool:
    """Whether the journey stands where the action was made: on that day, in that visit, leg and state.

    A late confirm of the first exam must never queue the second, and a payment that the base has in it already must
    not be taken for the next one.
    """
    visit_id = pending.visit_id if journey.visit_id is not None else None
    here = (journey.site_day, journey.visit_id, journey.leg, journey.state)
    return here == (pending.site_day, visit_id, pending.leg, pending.journey_state)


def as_of(definitions: Definitions, journey: Journey, site_day: str, bookings: tuple[Appointment, ...]) -> Journey:
    """The journey as it stands on a site day: one of an earlier day is closed first and gets the new day's bookings."""
    if journey.site_day >= site_day:
        return journey
    return replace(close_day(definitions, journey, site_day).journey, appointments=bookings)
