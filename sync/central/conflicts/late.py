"""Writes an action of a day that has ended into the history of its visit. Today's journey stays as it is."""

from msgspec.structs import replace

from sync.central.conflicts.evidence import Evidence
from sync.central.conflicts.gather import JudgingContext
from sync.central.records.entries import write_entry
from sync.central.records.history import Provenance, add_entry_history, add_transitions
from sync.central.records.visits import add_visit
from sync.central.store.transactions import WriteTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import Decision, EntryChange, Journey, QueueEntry

# No pull has shown a visit that is added after its day. With the highest version of all, the opening of that day at
# every other kiosk counts as the same visit.
UNSEEN_VERSION = 2**62


def write_late(
    db: WriteTransaction, context: JudgingContext, evidence: Evidence, decision: Decision, provenance: Provenance
) -> None:
    """Adds the rows of a late action: its visit where it opens one, its transitions, and its entry as ended."""
    after = decision.journey
    visit_id = after.visit_id or (evidence.visit.visit_id if evidence.visit else None)
    if evidence.visit is None:
        _add_visit(db, evidence, str(visit_id), provenance)
    change = db.next_change()
    add_transitions(db, change, after.patient_id, visit_id, after.leg, decision.transitions, provenance)
    changes = tuple(row for each in decision.entry_changes for row in _write_entry(db, context, after, each))
    add_entry_history(db, change, after.patient_id, changes, provenance)


def _write_entry(
    db: WriteTransaction, context: JudgingContext, after: Journey, change: EntryChange
) -> tuple[EntryChange, ...]:
    """Writes an entry that has changed, as ended. Returns the rows of its history."""
    entry = after.entry(change.queue_id)
    assert entry is not None
    ended = _ended(context.definitions, entry)
    write_entry(db, after, ended, fresh=change.previous is None)
    return (change,) if ended == entry else (change, EntryChange(entry.queue_id, entry.state, ended.state, "late"))


def _add_visit(db: WriteTransaction, evidence: Evidence, visit_id: str, provenance: Provenance) -> None:
    add_visit(
        db,
        visit_id,
        evidence.journey.patient_id,
        evidence.day,
        opened_ms=provenance.happened_ms,
        opened_version=UNSEEN_VERSION,
        closed_ms=provenance.recorded_ms,
    )


def _ended(definitions: Definitions, entry: QueueEntry) -> QueueEntry:
    """The entry as it is after the end of its day."""
    return replace(entry, state=definitions.day_end.entries_to) if entry.state in definitions.live else entry
