"""The way back: a journey as it was before the last changes of one sender. Pure, as the rules are."""

from collections.abc import Collection, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from sync.journey.bookings import set_bookings
from sync.journey.definitions import Definitions
from sync.journey.meaning import cancellation
from sync.journey.model import (
    AppointmentChange,
    BuiltIn,
    Decision,
    EntryChange,
    Journey,
    QueueEntry,
    QueueId,
    Transition,
    Trigger,
    VisitId,
)


class Before(msgspec.Struct, frozen=True):
    """What one decision changed of a journey, as it was before.

    `entries` are the changed entries as they were, `opened` the ids of new ones. `bookings` are the changes of
    bookings. `opened_visit` is the visit that the decision opened.
    """

    state: str
    site_day: str
    visit_id: VisitId | None
    leg: int
    journey_version: int
    current_queue_id: QueueId | None
    entries: tuple[QueueEntry, ...] = ()
    opened: tuple[QueueId, ...] = ()
    bookings: tuple[AppointmentChange, ...] = ()
    opened_visit: VisitId | None = None


def before(journey: Journey, decision: Decision) -> Before:
    """What a decision on this journey changes."""
    after = decision.journey
    return Before(
        state=journey.state,
        site_day=journey.site_day,
        visit_id=journey.visit_id,
        leg=journey.leg,
        journey_version=journey.journey_version,
        current_queue_id=journey.current_queue_id,
        entries=tuple(entry for entry in journey.entries if after.entry(entry.queue_id) != entry),
        opened=tuple(entry.queue_id for entry in after.entries if journey.entry(entry.queue_id) is None),
        bookings=decision.appointment_changes,
        opened_visit=after.visit_id if after.visit_id != journey.visit_id else None,
    )


def take_back(definitions: Definitions, journey: Journey, changes: Sequence[Before], reason: str) -> Decision:
    """The journey as it was before `changes`, its last changes, newest first.

    An entry that they opened is cancelled: its number is on paper. A booking that has changed since stays as it is.
    """
    first = changes[-1]
    entries = _entries_before(definitions, journey, changes)
    after = replace(
        journey,
        state=first.state,
        visit_id=first.visit_id,
        leg=first.leg,
        current_queue_id=first.current_queue_id,
        entries=tuple(entries[entry.queue_id] for entry in journey.entries),
        journey_version=journey.journey_version + 1,
    )
    after, bookings = _with_bookings(after, changes)
    row = Transition(journey.state, BuiltIn.TAKE_BACK, first.state, Trigger.STAFF_ACTION)
    moved = tuple(
        EntryChange(entry.queue_id, entry.state, entries[entry.queue_id].state, reason)
        for entry in journey.entries
        if entries[entry.queue_id].state != entry.state
    )
    return Decision(after, (row,) if row.from_state != row.to_state else (), moved, bookings)


def are_last(journey: Journey, changes: Sequence[Before], undone: Collection[int]) -> bool:
    """Whether `changes`, newest first, are the last changes of the journey.

    `undone` are the versions before changes that were taken back already, and before each such taking back. Together
    they changed nothing.
    """
    versions = {change.journey_version for change in changes}
    since = range(changes[-1].journey_version, journey.journey_version)
    return versions <= set(since) <= versions.union(undone) and changes[-1].site_day == journey.site_day


def knows(definitions: Definitions, changes: Sequence[Before]) -> bool:
    """Whether the rules have every state that the journey and its entries would go back to."""
    states = {entry.state for change in changes for entry in change.entries}
    return changes[-1].state in definitions.journey_states and states <= set(definitions.queue_states)


def void(definitions: Definitions, entry: QueueEntry) -> QueueEntry:
    """An entry as cancelled; as ended in any way where the rules have no cancellation."""
    rule = cancellation(definitions)
    ended = (state for state in definitions.queue_states if state not in definitions.live)
    return replace(entry, state=rule.entry.target if rule and rule.entry else next(ended, entry.state))


def is_take_back(definitions: Definitions, row: Transition) -> bool:
    """Whether a history row is one that taking back can leave."""
    named = (row.action, row.trigger_type) == (BuiltIn.TAKE_BACK, Trigger.STAFF_ACTION)
    states = set(definitions.journey_states)
    return named and row.from_state != row.to_state and {row.from_state, row.to_state} <= states


def _entries_before(
    definitions: Definitions, journey: Journey, changes: Sequence[Before]
) -> Mapping[QueueId, QueueEntry]:
    """Each entry of the journey as it was. The oldest change of an entry tells that."""
    found = {entry.queue_id: entry for entry in journey.entries}
    for change in changes:
        found |= {entry.queue_id: entry for entry in change.entries if entry.queue_id in found}
    for queue_id in {queue_id for change in changes for queue_id in change.opened} & found.keys():
        now = journey.entry(queue_id)
        assert now is not None
        found[queue_id] = void(definitions, now)
    return found


def _with_bookings(journey: Journey, changes: Sequence[Before]) -> tuple[Journey, tuple[AppointmentChange, ...]]:
    before_all, back = journey, journey
    for booking in (booking for change in changes for booking in change.bookings):
        back, _ = set_bookings(
            back,
            lambda each, made=booking: (each.appointment_id, each.status) == (made.appointment_id, made.new),  # type: ignore[misc]
            booking.previous,
        )
    was = {each.appointment_id: each.status for each in before_all.appointments}
    moved = tuple(
        AppointmentChange(each.appointment_id, was[each.appointment_id], each.status)
        for each in back.appointments
        if each.status != was[each.appointment_id]
    )
    return back, moved
