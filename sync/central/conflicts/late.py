"""Writes an action that came after its day had ended into the history of its visit. Nothing of today moves."""

from dataclasses import replace

from sync.central.conflicts.evidence import Evidence
from sync.central.conflicts.gather import JudgingContext
from sync.central.records.entries import write_entry
from sync.central.records.journeys import Provenance, add_entry_history, add_transitions
from sync.central.store.sqlite import WriteTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import Decision, EntryChange, QueueEntry

# No pull ever showed a visit that was opened after its day: every other kiosk's opening of that day is the same visit.
UNSEEN_VERSION = 2**62


def write_late(
    db: WriteTransaction, context: JudgingContext, evidence: Evidence, decision: Decision, provenance: Provenance
) -> None:
    """Adds a late action's rows: its visit, if it opens one, its transitions at their own time, its entry as ended."""
    after = decision.journey
    visit_id = after.visit_id or (evidence.visit.visit_id if evidence.visit else None)
    if evidence.visit is None:
        _add_visit(db, evidence, str(visit_id), provenance)
    change = db.next_change()
    add_transitions(db, change, after.patient_id, visit_id, after.leg, decision.transitions, provenance)
    changes: list[EntryChange] = []
    for each in decision.entry_changes:
        entry = after.entry(each.queue_id)
        assert entry is not None
        ended = _ended(context.definitions, entry)
        write_entry(db, after, ended, fresh=each.previous is None)
        changes += [each] if ended == entry else [each, EntryChange(entry.queue_id, entry.state, ended.state, "late")]
    add_entry_history(db, change, after.patient_id, tuple(changes), provenance)


def _add_visit(db: WriteTransaction, evidence: Evidence, visit_id: str, provenance: Provenance) -> None:
    db.execute(
        "insert into visits (visit_id, patient_id, site_day, ordinal, opened_ms, opened_version, closed_ms)"
        " select :visit_id, :patient_id, :day, coalesce(max(ordinal), 0) + 1, :opened_ms, :version, :closed_ms"
        " from visits where patient_id = :patient_id and site_day = :day",
        {
            "visit_id": visit_id,
            "patient_id": evidence.journey.patient_id,
            "day": evidence.day,
            "opened_ms": provenance.happened_ms if evidence.arrived_ms is None else evidence.arrived_ms,
            "version": UNSEEN_VERSION,
            "closed_ms": provenance.recorded_ms,
        },
    )


def _ended(definitions: Definitions, entry: QueueEntry) -> QueueEntry:
    """An entry that the day's end would have ended is written as ended."""
    return replace(entry, state=definitions.day_end.entries_to) if entry.state in definitions.live else entry
