"""Queue entries as rows, and the lines that they form."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from sync.central.records.parts import Part
from sync.central.store.connection import Row
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import (
    UNREAD,
    Order,
    Question,
    ReadTransaction,
    WriteTransaction,
    Writing,
    any_of,
    each_of,
)
from sync.journey.definitions import Definitions
from sync.journey.line import stands_ms
from sync.journey.model import Journey, PatientId, QueueEntry

ENTRY_COLUMNS = 19  # of the table
_labels = msgspec.json.Decoder(tuple[str, ...])


ENTRIES = Part(
    "entry",
    (
        *("e.queue_id", "e.exam_id", "e.exam_name", "e.room", "e.state", "e.queue_number", "e.label_aliases"),
        *("e.appointment_id", "e.moved_from", "e.moved_from_room"),
    ),
    ("e.leg", "e.opened_ms", "e.priority", "e.minutes", "e.overnight", "e.line_ms"),
)


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
    known = db.known(_PATIENT, queue_id)
    if known is not UNREAD:
        return known
    row = db.row("select patient_id from entries where queue_id = :queue_id", queue_id=queue_id)
    return PatientId(row["patient_id"]) if row else None


def read_patients_of_entries_ahead(db: SetTransaction, queue_ids: Collection[str]) -> None:
    """Reads the patients whose entries these are."""
    db.read_ahead(_PATIENT, dict.fromkeys(queue_ids) | patients_of_entries(db, queue_ids))


def patients_of_entries(db: ReadTransaction, queue_ids: Collection[str]) -> dict[str, PatientId]:
    """The patients whose entries these are. An unknown entry is left out."""
    names, parameters = each_of("entry", queue_ids)
    rows = db.rows(f"select queue_id, patient_id from entries where queue_id in {names}", **parameters)  # noqa: S608
    return {row["queue_id"]: PatientId(row["patient_id"]) for row in rows}


def read_numbers_ahead(
    db: SetTransaction, numbers: Collection[str], day: str, since_day: str, live: Collection[str]
) -> None:
    """Reads which of these queue numbers no entry of `since_day` or later bears, and no open one of earlier days.

    That is noted for `day`.
    """
    names, parameters = each_of("number", numbers)
    states, live_states = any_of("state", live)
    bearers = db.rows(
        f"select distinct queue_number from entries where queue_number in {names}"  # noqa: S608
        f" and (site_day >= :since_day or state in {states})",
        since_day=since_day,
        **parameters,
        **live_states,
    )
    aliases = db.rows(
        "select label_aliases from entries where label_aliases <> '[]' and site_day >= :since_day", since_day=since_day
    )
    borne = {row["queue_number"] for row in bearers}
    borne.update(number for row in aliases for number in _labels.decode(row["label_aliases"]))
    db.read_ahead(_FREE_ON, {number: "" if number in borne else day for number in numbers})


def is_free_number(db: ReadTransaction, number: str, day: str) -> bool:
    """Whether it was read ahead that no entry bears a queue number on a day, nor an open one of earlier days."""
    return db.known(_FREE_ON, number) == day


def entries_of_patients(
    db: ReadTransaction, patient_ids: Collection[str], site_day: str
) -> dict[str, tuple[QueueEntry, ...]]:
    """The entries of these patients of one day of the site, in the order of opening. Who has none is left out."""
    names, parameters = each_of("patient", patient_ids)
    rows = db.execute(
        f"select * from entries where patient_id in {names} and site_day = :site_day"  # noqa: S608
        " order by opened_ms, queue_id",
        {**parameters, "site_day": site_day},
    )
    found: dict[str, tuple[QueueEntry, ...]] = {}
    for row in rows:
        found[row["patient_id"]] = (*found.get(row["patient_id"], ()), entry_of_row(row))
    return found


def entries_since(
    db: ReadTransaction, patient_ids: Collection[str], first_day: str, states: Collection[str]
) -> dict[str, dict[str, list[QueueEntry]]]:
    """The entries of these patients from a day on, and the earlier ones in these states: by patient and day, in the
    order of opening."""
    names, parameters = each_of("patient", patient_ids)
    among, of_states = any_of("state", states)
    rows = db.rows(
        f"select * from entries where patient_id in {names} and (site_day >= :first_day or state in {among})"  # noqa: S608
        " order by opened_ms, queue_id",
        first_day=first_day,
        **parameters,
        **of_states,
    )
    found: dict[str, dict[str, list[QueueEntry]]] = {}
    for row in rows:
        found.setdefault(row["patient_id"], {}).setdefault(row["site_day"], []).append(entry_of_row(row))
    return found


def patients_not_begun(
    db: ReadTransaction, definitions: Definitions, states: Collection[str], after: str, limit: int
) -> list[PatientId]:
    """The first patients above an id with an entry in one of these states whose journey has not begun."""
    among, of_states = any_of("state", states)
    rows = db.rows(
        "select distinct e.patient_id from entries e join journeys j on j.patient_id = e.patient_id"  # noqa: S608
        f" where e.state in {among} and e.patient_id > :after and j.state = :initial"
        " order by e.patient_id limit :limit",
        after=after,
        limit=limit,
        initial=definitions.initial,
        **of_states,
    )
    return [PatientId(row["patient_id"]) for row in rows]


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
    query, parameters = those_ahead(definitions, site_day, entry)
    return int(db.value(query, **parameters))


def those_ahead(definitions: Definitions, site_day: str, entry: QueueEntry) -> tuple[str, Mapping[str, object]]:
    """The query of `count_ahead()`, and its parameters. The entry need not be written yet."""
    states, parameters = _in_line(definitions.in_line)
    query = (
        "select count(*) from entries where site_day = :site_day and exam_id = :exam_id"  # noqa: S608
        f" and state in {states} and {_IS_AHEAD}"
    )
    return query, {
        **parameters,
        "site_day": site_day,
        "exam_id": entry.exam_id,
        "priority": entry.priority,
        "line_ms": stands_ms(entry),
        "queue_id": entry.queue_id,
    }


def first_in_line(db: ReadTransaction, states: Collection[str], site_day: str, exam_id: str) -> str | None:
    """The queue id of the first entry of an exam's line that is in one of these states; None where there is none."""
    among, of_states = any_of("state", states)
    row = db.row(
        f"select e.queue_id from entries e where e.site_day = :site_day and e.exam_id = :exam_id"  # noqa: S608
        f" and e.state in {among} order by {line_order('e')} limit 1",
        site_day=site_day,
        exam_id=exam_id,
        **of_states,
    )
    return str(row["queue_id"]) if row else None


def count_entries_by_state(db: ReadTransaction, site_day: str) -> dict[str, int]:
    """The number of entries of a site day in each state. An entry that outlasts a day's end is of the new day."""
    rows = db.rows(
        "select state, count(*) as rows from entries where site_day = :site_day group by state", site_day=site_day
    )
    return {row["state"]: row["rows"] for row in rows}


def unfinished_numbers(
    db: ReadTransaction, numbers: Collection[str], states: Collection[str]
) -> set[tuple[str, str, str]]:
    """Those of these queue numbers that an entry in one of the states bears, each with its exam and its day."""
    names, parameters = each_of("number", numbers)
    among, of_states = any_of("state", states)
    rows = db.rows(
        f"select queue_number, exam_id, site_day from entries where queue_number in {names} and state in {among}",  # noqa: S608
        **parameters,
        **of_states,
    )
    return {tuple(row) for row in rows}


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
        "line_ms": stands_ms(entry),
    }
    for number in (entry.queue_number, *entry.label_aliases):
        db.learn(_FREE_ON, number, "")
    if not fresh:
        db.write(_CHANGE, changing)
        return
    db.learn(_PATIENT, entry.queue_id, journey.patient_id)
    db.write(
        _ADD,
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
    db.write(_SET_STATE, {"state": state, "queue_id": queue_id})


def entry_of_row(row: Sequence[Any] | Row) -> QueueEntry:
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
        line_ms,
    ) = row[:ENTRY_COLUMNS]
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
        _own_place(opened_ms, line_ms),
    )


def entry_of_part(values: tuple[Any, ...]) -> QueueEntry:
    """An entry from a row of the part `ENTRIES`."""
    queue_id, exam_id, exam_name, room, state, number, aliases, appointment_id, moved_from, moved_room = values[:10]
    leg, opened_ms, priority, minutes, overnight, line_ms = values[10:]
    return QueueEntry(
        queue_id,
        exam_id,
        exam_name,
        room,
        state,
        number,
        leg,
        opened_ms,
        priority,
        minutes,
        bool(overnight),
        _labels.decode(aliases),
        appointment_id,
        moved_from,
        moved_room,
        _own_place(opened_ms, line_ms),
    )


def _own_place(opened_ms: int, line_ms: int) -> int | None:
    """The time by which an entry stands, where that is not the time of arrival."""
    return None if line_ms == opened_ms else line_ms


def _is_ahead(line: tuple[tuple[str, bool], ...]) -> str:
    """The SQL condition that a row stands in a line before the entry whose columns are the parameters."""
    (column, falls), rest = line[0], line[1:]
    first = f"{column} {'>' if falls else '<'} :{column}"
    return f"({first} or {column} = :{column} and {_is_ahead(rest)})" if rest else first


# The columns by which a line is sorted, and whether the highest value comes first: `place_in_line()` in SQL.
_LINE = (("priority", True), ("line_ms", False), ("queue_id", False))
_IS_AHEAD = _is_ahead(_LINE)
_in_line = lru_cache(maxsize=8)(lambda states: any_of("state", states))

_PATIENT: Question[str, PatientId | None] = Question()
_FREE_ON: Question[str, str] = Question()  # a day on which nobody bears the number; empty for a number to look up
_CHANGE = Writing(
    "update entries set site_day = :site_day, exam_id = :exam_id, exam_name = :exam_name, room = :room,"
    " state = :state, label_aliases = :label_aliases, priority = :priority, minutes = :minutes,"
    " overnight = :overnight, opened_ms = :opened_ms, appointment_id = :appointment_id,"
    " moved_from = :moved_from, moved_from_room = :moved_from_room, line_ms = :line_ms where queue_id = :queue_id",
    Order.CHANGES,
)
_SET_STATE = Writing("update entries set state = :state where queue_id = :queue_id", Order.CHANGES)
_ADD = Writing(
    "insert into entries values (:queue_id, :patient_id, :visit_id, :site_day, :exam_id, :exam_name, :room, :state,"
    " :queue_number, :label_aliases, :leg, :priority, :minutes, :overnight, :opened_ms, :appointment_id,"
    " :moved_from, :moved_from_room, :line_ms)",
    Order.SECOND,
)
