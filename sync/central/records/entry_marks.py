"""What staff keep of queue entries as rows: the kind and the reason of a priority, and a note."""

from collections.abc import Collection

import msgspec

from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, WriteTransaction, each_of


class PriorityMark(msgspec.Struct, frozen=True):
    """Why a patient goes first: a kind of the definitions, and the reason that staff gave. Empty without one."""

    kind: str = ""
    reason: str = ""


class NoteMark(msgspec.Struct, frozen=True):
    """A note for staff, who wrote it, and when (UTC ms). `action_id` is the press that left it so."""

    text: str = ""
    by: str = ""
    at_ms: int | None = None
    action_id: str | None = None


class EntryMarks(msgspec.Struct, frozen=True):
    """What staff keep of an entry."""

    priority: PriorityMark = PriorityMark()
    note: NoteMark = NoteMark()


def marks_of(db: ReadTransaction, queue_id: str) -> EntryMarks:
    """The marks of an entry."""
    row = db.row("select * from entry_marks where queue_id = :queue_id", queue_id=queue_id)
    return _marks(row) if row else EntryMarks()


def marks_of_entries(db: ReadTransaction, queue_ids: Collection[str]) -> dict[str, EntryMarks]:
    """The marks of those of these entries that have any."""
    names, parameters = each_of("entry", queue_ids)
    rows = db.rows(f"select * from entry_marks where queue_id in {names}", **parameters)  # noqa: S608
    return {row["queue_id"]: _marks(row) for row in rows}


def write_priority(db: WriteTransaction, queue_id: str, priority: PriorityMark) -> None:
    """Writes the kind and the reason of an entry's priority."""
    db.execute(
        "insert into entry_marks values (:queue_id, :kind, :reason, '', '', null, null)"
        " on conflict (queue_id) do update set priority_kind = excluded.priority_kind,"
        " priority_reason = excluded.priority_reason",
        {"queue_id": queue_id, "kind": priority.kind, "reason": priority.reason},
    )


def write_note(db: WriteTransaction, queue_id: str, note: NoteMark) -> None:
    """Writes the note of an entry."""
    db.execute(
        "insert into entry_marks values (:queue_id, '', '', :text, :by, :at_ms, :action_id)"
        " on conflict (queue_id) do update set note = excluded.note, note_by = excluded.note_by,"
        " note_ms = excluded.note_ms, note_action = excluded.note_action",
        {"queue_id": queue_id, "text": note.text, "by": note.by, "at_ms": note.at_ms, "action_id": note.action_id},
    )


def _marks(row: Row) -> EntryMarks:
    return EntryMarks(
        PriorityMark(row["priority_kind"], row["priority_reason"]),
        NoteMark(row["note"], row["note_by"], row["note_ms"], row["note_action"]),
    )
