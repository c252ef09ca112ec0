"""Where a patient of the old system stands, by the rules: the state of the journey, its current entry, its bookings.

Pure, as the rules are. The journey follows its queue entry, as it does wherever the two are changed apart.
"""

from collections.abc import Sequence
from functools import partial
from operator import is_

import msgspec
from msgspec.structs import replace

from sync.central.legacy.reasons import Reason
from sync.journey.bookings import booking_of, set_bookings
from sync.journey.definitions import Definitions
from sync.journey.meaning import cancellation
from sync.journey.model import Appointment, AppointmentChange, EntryChange, Journey, QueueEntry


class SettledJourney(msgspec.Struct, frozen=True):
    """A journey that agrees with its entries and bookings, and what was changed for that."""

    journey: Journey
    reasons: tuple[Reason, ...] = ()  # about the journey's state
    entry_changes: tuple[EntryChange, ...] = ()
    appointment_changes: tuple[AppointmentChange, ...] = ()


def settle_journey(definitions: Definitions, old: Journey, is_known: bool = True) -> SettledJourney:
    """Settles a journey with the entries and the bookings of its day. `is_known`: the old system has said its state."""
    journey, entry_changes = _without_second_entries(definitions, old)
    live = [each for each in journey.entries if each.state in definitions.live]
    current = _current(definitions, journey, live)
    state = definitions.queue_to_journey[current.state] if current else _without_entry(definitions, journey.state)
    reasons = () if state == old.state or not is_known else (_reason(current, definitions),)
    if current is None and not _is_before_queue(definitions, state):
        current = next(iter(reversed(_ended(definitions, journey))), None)
    kept = replace(journey, state=state, current_queue_id=current.queue_id if current else None)
    after, appointment_changes = _with_bookings(definitions, kept)
    return SettledJourney(after, reasons, entry_changes, appointment_changes)


def _reason(current: QueueEntry | None, definitions: Definitions) -> Reason:
    return Reason.FOLLOWS_ENTRY if current and current.state in definitions.live else Reason.ORPHAN


def _current(definitions: Definitions, journey: Journey, live: Sequence[QueueEntry]) -> QueueEntry | None:
    """The entry that the journey follows; None where its state needs none.

    The oldest that fits the state, else the oldest live one, else the last one that has ended, for a state that no
    journey has without an entry.
    """
    mapped = set(definitions.queue_to_journey.values())
    fits = [each for each in journey.entries if definitions.queue_to_journey[each.state] == journey.state]
    if journey.state in mapped:
        needs_live = definitions.journey_to_queue.get(journey.state) in definitions.live
        standing = [each for each in fits if each.state in definitions.live] if needs_live else fits[-1:]
        ended = _ended(definitions, journey)
        return next(iter([*standing, *live, *reversed(ended)]), None)
    waiting = [each for each in live if each.state != definitions.day_end.entries_to]
    return waiting[0] if waiting and _is_before_queue(definitions, journey.state) else None


def _is_before_queue(definitions: Definitions, state: str) -> bool:
    """Whether a journey in this state has not come to the queue yet. An unknown state has not."""
    states = definitions.journey_states
    first = min(states.index(each) for each in definitions.queue_to_journey.values())
    return state not in states or states.index(state) < first


def _without_entry(definitions: Definitions, state: str) -> str:
    """The state of a journey without an entry to follow."""
    is_possible = state in definitions.journey_states and state not in definitions.queue_to_journey.values()
    return state if is_possible else definitions.initial


def _ended(definitions: Definitions, journey: Journey) -> list[QueueEntry]:
    return [each for each in journey.entries if each.state not in definitions.live]


def _without_second_entries(definitions: Definitions, journey: Journey) -> tuple[Journey, tuple[EntryChange, ...]]:
    """The journey with one entry at most that waits or is seen for each exam: the one that has come furthest."""
    rule = cancellation(definitions)
    if rule is None or rule.entry is None:
        return journey, ()
    places = definitions.journey_states
    waiting = [e for e in journey.entries if e.state in definitions.live and e.state != definitions.day_end.entries_to]
    waiting.sort(key=lambda each: -places.index(definitions.queue_to_journey[each.state]))
    first = {each.exam_id: each for each in reversed(waiting)}
    seconds = [each for each in waiting if first[each.exam_id] is not each]
    for each in seconds:
        journey = journey.with_entry(replace(each, state=rule.entry.target))
    reason = Reason.SECOND_ENTRY.code
    return journey, tuple(EntryChange(each.queue_id, each.state, rule.entry.target, reason) for each in seconds)


def _with_bookings(definitions: Definitions, journey: Journey) -> tuple[Journey, tuple[AppointmentChange, ...]]:
    """The journey with its bookings as its entries say: none waits, or is seen, without an entry that does."""
    changes: list[AppointmentChange] = []
    for booking in journey.appointments:
        status = _status(definitions, journey, booking)
        if status != booking.status:
            journey, changed = set_bookings(journey, partial(is_, booking), status)
            changes += changed
    return journey, tuple(changes)


def _status(definitions: Definitions, journey: Journey, booking: Appointment) -> str:
    own = [each for each in journey.entries if booking_of(journey, each) is booking]
    live = [each for each in own if each.state in definitions.live]
    if live:
        return definitions.queue_to_appointment[live[0].state]
    held = {definitions.queue_to_appointment[state] for state in definitions.live}
    stays = {*definitions.open_appointments, definitions.day_end.appointments_to}
    if booking.status not in held - stays:
        return booking.status
    return definitions.queue_to_appointment[own[-1].state] if own else definitions.fresh_appointment
