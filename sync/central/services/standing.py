"""Reads a queue entry as it stands, and says who brought it there."""

from sync.central.records.last_changes import LastChange, StandingEntry, standing_entry
from sync.central.services.doers import doer
from sync.central.services.entry_now import ChangeAfter, EntryNow
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso


def entry_now(db: ReadTransaction, queue_id: str, timezone: str) -> EntryNow | None:
    """The entry of an id as it stands; None for an unknown one."""
    found = standing_entry(db, queue_id)
    return _entry_now(found, timezone) if found else None


def change_after(change: LastChange, timezone: str) -> ChangeAfter:
    """A change as it is told."""
    by = doer(change.who, change.kiosk)
    return ChangeAfter(change.action, by.name, by.kind, iso(change.at_ms, timezone))


def _entry_now(found: StandingEntry, timezone: str) -> EntryNow:
    entry, by = found.entry, doer(found.who, found.kiosk)
    return EntryNow(
        entry.queue_id,
        found.patient_id,
        entry.exam_id,
        entry.queue_number,
        entry.state,
        entry.room,
        by.name,
        by.kind,
        iso(found.at_ms, timezone),
    )
