"""Replays what is pending on a newer base: pure, with the same `decide()` as everywhere."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sync.journey.definitions import Definitions
from sync.journey.model import Action, ActionId, Appointment, Journey, Refusal, VisitId
from sync.journey.rules import close_day, decide


@dataclass(frozen=True, slots=True)
class Pending:
    """A pending action with the visit and leg it was made in."""

    action: Action
    visit_id: VisitId
    leg: int


@dataclass(frozen=True, slots=True)
class Rebased:
    """The journey that the screen shows (base with pending on top), and which pending actions no longer fit."""

    journey: Journey
    unfit: tuple[ActionId, ...]


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
    """Whether the action was made in the visit and leg that the journey is in: a late confirm of the first exam must
    never queue the second."""
    same_visit = journey.visit_id is None or journey.visit_id == pending.visit_id
    return same_visit and journey.leg == pending.leg


def as_of(definitions: Definitions, journey: Journey, site_day: str, bookings: tuple[Appointment, ...]) -> Journey:
    """The journey as it stands on a site day: one of an earlier day is closed first and gets the new day's bookings."""
    if journey.site_day >= site_day:
        return journey
    return replace(close_day(definitions, journey, site_day).journey, appointments=bookings)
