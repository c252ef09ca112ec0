"""Queue entries as rows, and the lines that they form."""

import sqlite3
from collections.abc import Collection
from functools import lru_cache

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction, any_of
from sync.journey.definitions import Definitions
from sync.journey.model import Journey, PatientId, QueueEntry

_labels = msgspec.json.Decoder(tuple[str, ...])


def entries_of_day(db: ReadTransaction, patient_id: str, site_day: str) -> tuple[QueueEntry, ...]:
    """A patient's entries of a day of the site, in the order of opening."""
    rows = db.execute(
        "select * from entries where patient_id = :patient_id and site_day = :site_day order by opened_ms, queue_id",
        {"patient_id": patient_id, "site_day": site_day},
    )
    return tuple(entry_of_row(row) for row in rows)


def entries_of_visit(db: ReadTransaction, patient_id: str, visit_id: str) -> tuple[QueueEntry, ...]:
    """A patient's entries of a visit, in the order of opening."""
    rows = db.execute(
        "select * from entries where patient_id = :patient_id and visit_id = :visit_id order by opened_ms, queue_id",
        {"patient_id": patient_id, "visit_id": visit_id},
    )
    return tuple(entry_of_row(row) for row in rows)


def patient_of_entry(db: ReadTransaction, queue_id: str) -> PatientId | None:
    """The patient whose entry this is; None for an unknown entry."""
    row = db.row("select patient_id from entries where queue_id = :queue_id", queue_id=queue_id)
    return PatientId(row["patient_id"]) if row else None


def patient_in_line_for(db: ReadTransaction, appointment_id: str, live: Collection[str]) -> PatientId | None:
    """The patient whose entry for this booking is in one of the states `live`; None where there is no such entry."""
    states, parameters = any_of("state", live)
    row = db.row(
        f"select patient_id from entries where appointment_id = :appointment_id and state in {states}",  # noqa: S608
        appointment_id=appointment_id,
        **parameters,
    )
    return PatientId(row["patient_id"]) if row else None


def patients_in_line(
    db: ReadTransaction, exam_id: str, days: Collection[str], live: Collection[str]
) -> list[PatientId]:
    """The patients with an entry of this exam on one of these days, in one of the states `live`."""
    states, live_states = any_of("state", live)
    names, named_days = any_of("day", days)
    rows = db.rows(
        f"select distinct patient_id from entries where site_day in {names} and exam_id = :exam_id"  # noqa: S608
        f" and state in {states} order by patient_id",
        exam_id=exam_id,
        **live_states,
        **named_days,
    )
    return [PatientId(row["patient_id"]) for row in rows]


def line_order(table: str) -> str:
    """The SQL that sorts the entries of a line as `place_in_line()` of the rules does: the terms of an `order by`."""
    return ", ".join(f"{table}.{column} {'desc' if falls else 'asc'}" for column, falls in _LINE)


def count_ahead(db: ReadTransaction, definitions: Definitions, site_day: str, entry: QueueEntry) -> int:
    """The number of people before an entry in its exam's line: `people_ahead()` of the rules, counted in the database.

    Every answer needs the count, and a line is long in the morning, so its rows are not fetched.
    """
    states, parameters = _in_line(definitions.in_line)
    return int(
        db.value(
            "select count(*) from entries where site_day = :site_day and exam_id = :exam_id"  # noqa: S608
            f" and state in {states} and {_IS_AHEAD}",
            **parameters,
            site_day=site_day,
            exam_id=entry.exam_id,
            priority=entry.priority,
            opened_ms=entry.opened_ms,
            queue_id=entry.queue_id,
        )
    )


def count_entries_by_state(db: ReadTransaction, site_day: str) -> dict[str, int]:
    """The number of entries of a site day in each state. An entry that outlasts a day's end is of the new day."""
    rows = db.rows(
        "select state, count(*) as rows from entries where site_day = :site_day group by state", site_day=site_day
    )
    return {row["state"]: row["rows"] for row in rows}


def entry_with_number(db: ReadTransaction, site_day: str, number: str, but: str) -> str | None:
    """The queue id of the entry that bears a number on that day, as its own or as an alias; None for no entry.

    The entry `but` does not count.
    """
    rows = db.rows(
        "select queue_id, queue_number, label_aliases from entries where site_day = :site_day"
        " and queue_number = :number union all select queue_id, queue_number, label_aliases from entries"
        " where site_day = :site_day and label_aliases <> '[]'",
        site_day=site_day,
        number=number,
    )
    with_number = (r for r in rows if number == r["queue_number"] or number in _labels.decode(r["label_aliases"]))
    return next((str(row["queue_id"]) for row in with_number if row["queue_id"] != but), None)


def write_entry(db: WriteTransaction, journey: Journey, entry: QueueEntry, *, fresh: bool) -> None:
    """Writes an entry of a journey: a fresh one as a new row, another one by its columns that can change."""
    changing = {
        "queue_id": entry.queue_id,
        "site_day": journey.site_day,
        "exam_id": entry.exam_id,
        "exam_name": entry.exam_name,
        "room": entry.room,
        "state": entry.state,
        "label_aliases": msgspec.json.encode(entry.label_aliases).decode(),
        "priority": entry.priority,
        "minutes": entry.minutes,
        "overnight": int(entry.overnight),
        "opened_ms": entry.opened_ms,
        "appointment_id": entry.appointment_id,
        "moved_from": entry.moved_from,
        "moved_from_room": entry.moved_from_room,
    }
    if not fresh:
        db.execute(
            "update entries set site_day = :site_day, exam_id = :exam_id, exam_name = :exam_name, room = :room,"
            " state = :state, label_aliases = :label_aliases, priority = :priority, minutes = :minutes,"
            " overnight = :overnight, opened_ms = :opened_ms, appointment_id = :appointment_id,"
            " moved_from = :moved_from, moved_from_room = :moved_from_room where queue_id = :queue_id",
            changing,
        )
        return
    db.execute(
        "insert into entries values (:queue_id, :patient_id, :visit_id, :site_day, :exam_id, :exam_name, :room, :state,"
        " :queue_number, :label_aliases, :leg, :priority, :minutes, :overnight, :opened_ms, :appointment_id,"
        " :moved_from, :moved_from_room)",
        {
            **changing,
            "patient_id": journey.patient_id,
            "visit_id": journey.visit_id,
            "queue_number": entry.queue_number,
            "leg": entry.leg,
        },
    )


def set_entry_state(db: WriteTransaction, queue_id: str, state: str) -> None:
    """Changes the state of an entry."""
    db.execute("update entries set state = :state where queue_id = :queue_id", {"state": state, "queue_id": queue_id})


def entry_of_row(row: sqlite3.Row) -> QueueEntry:
    """An entry from a row whose first columns are those of the table, in their order."""
    (
        queue_id,
        _,
        _,
        _,
        exam_id,
        exam_name,
        room,
        state,
        queue_number,
        label_aliases,
        leg,
        priority,
        minutes,
        overnight,
        opened_ms,
        appointment_id,
        moved_from,
        moved_from_room,
    ) = row[:18]
    return QueueEntry(
        queue_id,
        exam_id,
        exam_name,
        room,
        state,
        queue_number,
        leg,
        opened_ms,
        priority,
        minutes,
        bool(overnight),
        _labels.decode(label_aliases),
        appointment_id,
        moved_from,
        moved_from_room,
    )


def _is_ahead(line: tuple[tuple[str, bool], ...]) -> str:
    """The SQL condition that a row stands in a line before the entry whose columns are the parameters."""
    (column, falls), rest = line[0], line[1:]
    first = f"{column} {'>' if falls else '<'} :{column}"
    return f"({first} or {column} = :{column} and {_is_ahead(rest)})" if rest else first


# The columns by which a line is sorted, and whether the highest value comes first: `place_in_line()` in SQL.
_LINE = (("priority", True), ("opened_ms", False), ("queue_id", False))
_IS_AHEAD = _is_ahead(_LINE)
_in_line = lru_cache(maxsize=8)(lambda states: any_of("state", states))
