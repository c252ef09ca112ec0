"""Queue entries as rows, and the lines that they form."""

import sqlite3
from collections.abc import Collection

import msgspec

from sync.central.store import Reading, Writing, any_of
from sync.journey.model import ExamId, Journey, QueueEntry, QueueId

_labels = msgspec.json.Decoder(tuple[str, ...])


def entries_of(db: Reading, patient_id: str, site_day: str) -> tuple[QueueEntry, ...]:
    """A patient's entries of a day of the site, in the order in which they were opened."""
    rows = db.execute(
        "select * from entries where patient_id = :patient_id and site_day = :site_day order by opened_ms, queue_id",
        {"patient_id": patient_id, "site_day": site_day},
    )
    return tuple(entry_of_row(row) for row in rows)


def line_of(db: Reading, exam_id: str, site_day: str, states: Collection[str]) -> tuple[QueueEntry, ...]:
    """The entries of an exam on a day of the site that are in one of these states."""
    names, values = any_of("state", states)
    rows = db.execute(
        f"select * from entries where site_day = :site_day and exam_id = :exam_id and state in {names}",  # noqa: S608
        {"site_day": site_day, "exam_id": exam_id, **values},
    )
    return tuple(entry_of_row(row) for row in rows)


def write_entry(db: Writing, journey: Journey, entry: QueueEntry, *, fresh: bool) -> None:
    """Writes one entry of a journey: all of it where it is fresh, else what of it can change."""
    changing = {
        "queue_id": entry.queue_id,
        "site_day": journey.site_day,
        "state": entry.state,
        "room": entry.room,
        "priority": entry.priority,
        "label_aliases": msgspec.json.encode(entry.label_aliases).decode(),
        "opened_ms": entry.opened_ms,
    }
    if not fresh:
        db.execute(
            "update entries set site_day = :site_day, state = :state, room = :room, priority = :priority,"
            " label_aliases = :label_aliases, opened_ms = :opened_ms where queue_id = :queue_id",
            changing,
        )
        return
    db.execute(
        "insert into entries values (:queue_id, :patient_id, :visit_id, :site_day, :exam_id, :exam_name, :room, :state,"
        " :queue_number, :label_aliases, :leg, :priority, :minutes, :overnight, :opened_ms)",
        {
            **changing,
            "patient_id": journey.patient_id,
            "visit_id": journey.visit_id,
            "exam_id": entry.exam_id,
            "exam_name": entry.exam_name,
            "queue_number": entry.queue_number,
            "leg": entry.leg,
            "minutes": entry.minutes,
            "overnight": int(entry.overnight),
        },
    )


def entry_of_row(row: sqlite3.Row) -> QueueEntry:
    """An entry from its row."""
    return QueueEntry(
        queue_id=QueueId(row["queue_id"]),
        exam_id=ExamId(row["exam_id"]),
        exam_name=row["exam_name"],
        room=row["room"],
        state=row["state"],
        queue_number=row["queue_number"],
        leg=row["leg"],
        opened_ms=row["opened_ms"],
        priority=row["priority"],
        minutes=row["minutes"],
        overnight=bool(row["overnight"]),
        label_aliases=_labels.decode(row["label_aliases"]),
    )
