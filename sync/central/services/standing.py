"""Reads a queue entry as it stands, and says who brought it there."""

import re

from sync.central.records.last_changes import LastChange, StandingEntry, standing_entry
from sync.central.services.entry_now import ChangeAfter, EntryNow
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso

_STAFF = re.compile(r"staff:(.*?)(?: \([^()]*\))?")


def entry_now(db: ReadTransaction, queue_id: str, timezone: str) -> EntryNow | None:
    """The entry of an id as it stands; None for an unknown one."""
    found = standing_entry(db, queue_id)
    return _entry_now(found, timezone) if found else None


def change_after(change: LastChange, timezone: str) -> ChangeAfter:
    """A change as it is told."""
    return ChangeAfter(change.action, name_of(change.who), iso(change.at_ms, timezone))


def name_of(who: str) -> str:
    """The name of a person of staff without the word `staff` and the token's id; any other sender as the history says.

    Staff know each other by these names.
    """
    match = _STAFF.fullmatch(who)
    return match[1] if match else who


def _entry_now(found: StandingEntry, timezone: str) -> EntryNow:
    entry = found.entry
    return EntryNow(
        entry.queue_id,
        found.patient_id,
        entry.exam_id,
        entry.queue_number,
        entry.state,
        entry.room,
        name_of(found.who),
        iso(found.at_ms, timezone),
    )
