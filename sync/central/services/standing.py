"""Reads a queue entry as it stands, and says who brought it there."""

from sync.central.records.accounts import names_of_people
from sync.central.records.last_changes import LastChange, standing_entry
from sync.central.services.doers import doer
from sync.central.services.entry_now import ChangeAfter, EntryNow
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso


def entry_now(db: ReadTransaction, queue_id: str, timezone: str) -> EntryNow | None:
    """The entry of an id as it stands; None for an unknown one."""
    found = standing_entry(db, queue_id)
    if found is None:
        return None
    entry, by = found.entry, doer(found.who, found.kiosk, names_of_people(db))
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


def change_after(db: ReadTransaction, change: LastChange, timezone: str) -> ChangeAfter:
    """A change as it is told."""
    by = doer(change.who, change.kiosk, names_of_people(db))
    return ChangeAfter(change.action, by.name, by.kind, iso(change.at_ms, timezone))
