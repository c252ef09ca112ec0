"""What has come into being in the centre, as rows of the old tables: in the old names, with the old kinds of keys."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sync.central.legacy.layout import STATES, Kind, Layout, Table
from sync.central.legacy.old_database import OldDatabase, quoted
from sync.central.records.patients import names_of
from sync.central.store.errors import StoreError
from sync.central.store.transactions import ReadTransaction
from sync.journey.model import PatientId
from sync.journey.queue_numbers import read_queue_number

_WIDTH = re.compile(r"char\w*(?: varying)?\((\d+)\)")


class OldUsers:
    """The users of the old system by the ids of patients. A new patient becomes a user of it."""

    def __init__(self, db: ReadTransaction, old: OldDatabase, layout: Layout) -> None:
        self._db, self._old, self._users = db, old, layout.users
        self._keys: dict[str, Any] = {}

    def key(self, patient_id: str) -> Any:
        """What the old tables refer to a patient by."""
        if not self._users.table:
            return patient_id
        if patient_id not in self._keys:
            found = next(
                (key for name in names_of(self._db, PatientId(patient_id)) if (key := self._found(name))), None
            )
            self._keys[patient_id] = found or self._added(patient_id)
        return self._keys[patient_id]

    def _found(self, name: str) -> Any:
        key, table, id_ = (quoted(each) for each in (self._users.key, self._users.table, self._users.id))
        rows = self._old.read(f"select {self._old.chosen(key)} from {table} where {id_} = ?", (name,))  # noqa: S608
        return rows[0][0] if rows else None

    def _added(self, patient_id: str) -> Any:
        new = {name: self._old.native(value) for name, value in self._users.new.items()}
        return self._old.insert(self._users.table, self._users.key, {**new, self._users.id: patient_id})


def born_values(
    old: OldDatabase,
    layout: Layout,
    kind: Kind,
    row: Mapping[str, Any],
    users: OldUsers,
    keys: Mapping[tuple[Kind, str], Any],
) -> dict[str, Any]:
    """A row of the old table, by column. Columns that the centre knows nothing for have the layout's `new` values.

    `keys` has the keys of new rows, to which others refer.
    """
    table = layout.tables[kind]
    declared = old.columns(table.table)
    holds = {name: row[name] for name in row if name in table.columns}
    for name, of_what in STATES[kind].items():
        holds[name] = layout.old(of_what, row[name] or "")
    for name, refers_to in _REFERENCES.items():
        if name in holds and row[name] is not None:
            holds[name] = keys.get((refers_to, row[name]), row[name])
    if "user" in table.columns:
        holds["user"] = users.key(row["patient"])
    if "exam" in holds:
        holds["exam"] = exam_key(old, layout, row["exam"])
    if "time_ms" in row:
        holds["time"] = old.moment(at_ms(row["time_ms"], layout.zone))
    if "metadata" in table.columns:
        holds["metadata"] = row.get("metadata", "{}")
    values = {name: old.native(value) for name, value in table.new.items()}
    for name, value in holds.items():
        column = table.columns.get(name, "")
        if column in declared:
            values[column] = _fitted(name, value, declared[column], values.get(column))
    return values if "id" not in holds else _with_id(old, table, str(row["id"]), declared, values)


def at_ms(moment_ms: int, zone: str) -> datetime:
    """A moment (UTC ms) in the zone of the old system's times."""
    return datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(zone))


def exam_key(old: OldDatabase, layout: Layout, exam_id: str) -> Any:
    """What the old tables refer to an exam by. Raises StoreError where the old system does not have the exam."""
    if not layout.exams.table:
        return exam_id
    key, table, id_ = (quoted(each) for each in (layout.exams.key, layout.exams.table, layout.exams.id))
    found = old.read(f"select {old.chosen(key)} from {table} where {id_} = ?", (exam_id,))  # noqa: S608
    if not found:
        raise StoreError(f"{old.shown}: the exam {exam_id} is not in {layout.exams.table}: add it. Nothing was changed")
    return found[0][0]


def _fitted(holds: str, value: Any, declared: str, otherwise: Any) -> Any:
    """A value as the type of its column takes it. `otherwise` is for a text in the place of a number."""
    if _is_number(declared):
        if holds == "number":
            found = read_queue_number(value)
            return found[1] if found else otherwise
        return otherwise if holds in _TEXTS else value
    width = _WIDTH.search(declared)
    return value[: int(width[1])] if width and holds in _TEXTS and value else value


def _with_id(
    old: OldDatabase, table: Table, our_id: str, declared: Mapping[str, str], values: dict[str, Any]
) -> dict[str, Any]:
    """The values with the id of a new row: ours, or a number of the old database where its ids are numbers."""
    column = table.columns["id"]
    if not _is_number(declared[column]) or our_id.isdecimal():
        return {**values, column: our_id.replace("-", "") if "char(32)" in declared[column] else our_id}
    without = {name: value for name, value in values.items() if name != column}
    if column == table.key:
        return without
    highest = f"select coalesce(max({quoted(column)}), 0) + 1 from {quoted(table.table)}"  # noqa: S608
    return {**without, column: old.read(highest)[0][0]}


def _is_number(declared: str) -> bool:
    return "int" in declared or "serial" in declared


_TEXTS = ("trigger", "source", "reason", "who")
_REFERENCES = {"appointment": Kind.APPOINTMENT, "queue": Kind.QUEUE}
