"""A correction: staff set a journey to another state than the one that the actions led to. Pure, as the rules are."""

from msgspec.structs import replace

from sync.journey.bookings import agrees, booking_of, follow_entry
from sync.journey.definitions import Definitions
from sync.journey.model import (
    AppointmentId,
    BuiltIn,
    Decision,
    EntryChange,
    Journey,
    QueueEntry,
    Refusal,
    RefusalCode,
    Transition,
    Trigger,
)

CORRECTION = BuiltIn.CORRECT_JOURNEY


def correct(definitions: Definitions, journey: Journey, state: str) -> Decision | Refusal:
    """The journey in that state, with its current entry in the matching state, or a refusal.

    The journey stays in its visit and leg: a correction neither opens nor closes a visit. A state that maps to a queue
    state moves the current entry and its booking too, even where they have ended. An entry whose booking has gone
    another way is live again without one. For any other state, the current entry must have ended.
    """
    known = state in definitions.journey_states and state not in (definitions.initial, journey.state)
    if not known or journey.visit_id is None:
        return Refusal(RefusalCode.NOT_ALLOWED, CORRECTION, journey.state)
    entry, target = journey.current, definitions.journey_to_queue.get(state)
    if target is None and entry is not None and entry.state in definitions.live:
        return Refusal(RefusalCode.NOT_ALLOWED, CORRECTION, journey.state)
    if target is not None and entry is None:
        return Refusal(RefusalCode.NO_SUCH_ENTRY, CORRECTION, journey.state)
    moved = replace(journey, state=state, journey_version=journey.journey_version + 1)
    row = Transition(journey.state, CORRECTION, state, Trigger.STAFF_ACTION)
    if target is None or entry is None or entry.state == target:
        return Decision(moved, (row,))
    changed = replace(entry, state=target, appointment_id=_booking_kept(definitions, journey, entry))
    change = EntryChange(entry.queue_id, entry.state, target, CORRECTION)
    followed, bookings = follow_entry(definitions, moved.with_entry(changed), changed, entry.state)
    return Decision(followed, (row,), (change,), bookings)


def _booking_kept(definitions: Definitions, journey: Journey, entry: QueueEntry) -> AppointmentId | None:
    """The booking that an entry keeps: a live entry its own, and an ended one the booking that ended with it."""
    booking = booking_of(journey, entry)
    is_kept = entry.state in definitions.live or (booking and agrees(definitions, booking, entry, entry.state))
    return entry.appointment_id if is_kept else None


def is_correction(definitions: Definitions, row: Transition) -> bool:
    """Whether a history row is one that a correction can leave."""
    states = set(definitions.journey_states) - {definitions.initial}
    named = (row.action, row.trigger_type) == (CORRECTION, Trigger.STAFF_ACTION)
    return named and row.to_state in states and row.from_state in states and row.from_state != row.to_state
