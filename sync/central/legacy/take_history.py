"""Takes the history of the old system: changes of journeys and of queue rows, each with its own time."""

from collections.abc import Sequence

from msgspec.structs import replace

from sync.central.legacy.context import SOURCE, Judged, LegacyContext, patients_of
from sync.central.legacy.reading import OldRow
from sync.central.legacy.reasons import Reason
from sync.central.legacy.values import id_of, metadata_of, state_of, text_of
from sync.central.records.entries import patients_of_entries
from sync.central.records.history import add_entry_history, add_transitions
from sync.journey.definitions import Definitions
from sync.journey.model import BuiltIn, EntryChange, QueueId, Transition, Trigger

_NO_LEG = 0


def take_transitions(context: LegacyContext, rows: Sequence[OldRow]) -> list[Judged]:
    """Adds a transition for each row. Its trigger and its metadata stay as the old system had them."""
    judged = []
    for row, patient_id in zip(rows, patients_of(context, rows), strict=True):
        if isinstance(patient_id, Reason):
            judged.append(Judged(row, (patient_id,)))
            continue
        at_ms, late = context.when(row)
        reasons = [late] if late else []
        before, after = (_name(context, row, column, "journey", reasons) for column in ("from", "to"))
        metadata, fault = metadata_of(row.holds.get("metadata"))
        if fault:
            reasons.append(fault)
        if not is_possible(context.definitions, before, after):
            reasons.append(Reason.ILLEGAL)
        origin = {"trigger_type": "trigger", "trigger_source": "source"}
        said = {name: text_of(row.holds[column]) for name, column in origin.items() if column in row.holds}
        provenance = replace(context.provenance(at_ms), metadata={**said, "metadata": metadata})
        change = context.db.next_change()
        made = Transition(before, BuiltIn.LEGACY, after, Trigger.LEGACY)
        add_transitions(context.db, change, patient_id, None, _NO_LEG, (made,), provenance)
        judged.append(Judged(row, reasons, str(change)))
    return judged


def take_logs(context: LegacyContext, rows: Sequence[OldRow]) -> list[Judged]:
    """Adds a row to the history of its entry for each row."""
    ids = [id_of(row.holds["queue"]) for row in rows]
    holders = patients_of_entries(context.db, {each for each in ids if isinstance(each, str)})
    judged = []
    for row, queue_id in zip(rows, ids, strict=True):
        patient_id = holders.get(queue_id) if isinstance(queue_id, str) else None
        if patient_id is None:
            judged.append(Judged(row, (Reason.UNKNOWN_ENTRY,)))
            continue
        at_ms, late = context.when(row)
        reasons = [late] if late else []
        before = _name(context, row, "from", "queue", reasons) if row.holds["from"] not in (None, "") else None
        after = _name(context, row, "to", "queue", reasons)
        made = EntryChange(QueueId(str(queue_id)), before, after, text_of(row.holds.get("reason")))
        change = context.db.next_change()
        who = text_of(row.holds.get("who"))
        provenance = context.provenance(at_ms, f"{SOURCE}:{who}" if who else SOURCE)
        add_entry_history(context.db, change, patient_id, (made,), provenance)
        judged.append(Judged(row, reasons, str(change)))
    return judged


def is_possible(definitions: Definitions, before: str, after: str) -> bool:
    """Whether an action, a change of the queue or a day's end can lead from one state of a journey to another."""
    mapped = set(definitions.queue_to_journey.values())
    is_moved = any(rule.moves.get(before) == after for rule in definitions.actions.values())
    is_ended = after == definitions.initial and before in definitions.journey_states
    return is_moved or is_ended or {before, after} <= mapped


def _name(context: LegacyContext, row: OldRow, column: str, kind: str, reasons: list[Reason]) -> str:
    """The name of a state in the history. An unknown one stays as it is."""
    definitions = context.definitions
    known = definitions.journey_states if kind == "journey" else definitions.queue_states
    found, fault = state_of(row.holds[column], context.layout.states.get(kind, {}), known)
    if fault:
        reasons.append(Reason.ILLEGAL if found is None else fault)
    return text_of(row.holds[column]) if found is None else found
