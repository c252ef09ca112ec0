"""Undo: the journey and its entries as they were before one press of staff. Pure, as the rules are."""

from msgspec.structs import replace

from sync.journey.definitions import Definitions
from sync.journey.model import BuiltIn, Decision, EntryChange, Journey, Transition, Trigger
from sync.journey.take_back import Before, take_back


def undo(definitions: Definitions, journey: Journey, change: Before) -> Decision:
    """The journey as it was before its last change, which was one of staff.

    Every entry that the change touched gets a row of history. So does the journey, also where its state stays.
    """
    back = take_back(definitions, journey, (change,), BuiltIn.UNDO)
    touched = {*(entry.queue_id for entry in change.entries), *change.opened}
    rows = tuple(
        EntryChange(entry.queue_id, entry.state, then.state, BuiltIn.UNDO)
        for entry in journey.entries
        if entry.queue_id in touched and (then := back.journey.entry(entry.queue_id))
    )
    row = Transition(journey.state, BuiltIn.UNDO, back.journey.state, Trigger.STAFF_ACTION)
    return replace(back, transitions=(row,), entry_changes=rows)


def is_undo(definitions: Definitions, row: Transition) -> bool:
    """Whether a history row is one that an undo can leave."""
    named = (row.action, row.trigger_type) == (BuiltIn.UNDO, Trigger.STAFF_ACTION)
    return named and {row.from_state, row.to_state} <= set(definitions.journey_states)
