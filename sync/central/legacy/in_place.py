"""Gives the states in an old database their new names, and back: the old system goes on with the same tables.

All names change in one transaction. What the way back could not know by the new name is noted beside the tables: a row
that had the new name already, and one of several old names that mean the same.
"""

from collections.abc import Callable, Iterator

import msgspec

from sync.central.legacy.layout import STATES, Kind, Layout
from sync.central.legacy.marker import read_mark, remove_mark, write_mark
from sync.central.legacy.old_database import OldDatabase, quoted
from sync.central.store.errors import StoreError
from sync.clock import iso
from sync.journey.definitions import Definitions

_MARK = "in_place"
_NAMES = "nfc_kiosk_old_names"
_RENAMED = ("journey", "queue")  # what an appointment's status means is the old system's own matter


class Renaming(msgspec.Struct, frozen=True):
    """A name in a column of states: the number of its rows, and its new name; "" for a name that is unknown here."""

    kind: Kind
    table: str
    column: str
    name: str
    rows: int
    becomes: str


def plan_renamings(old: OldDatabase, layout: Layout, definitions: Definitions) -> list[Renaming]:
    """Every name in a column of states, and what becomes of it. An unknown name stays."""
    return [
        Renaming(kind, table, column, name, rows, _becomes(layout, definitions, of_what, name))
        for kind, table, column, of_what in _columns(layout)
        for name, rows in _names_in(old, table, column)
    ]


def rename_states(old: OldDatabase, layout: Layout, now_ms: int, advance: Callable[[int], None]) -> int:
    """Gives the states their new names, and checks it. Returns the number of changed values.

    The caller holds the database to be written. Raises StoreError where that was done already.
    """
    done = read_mark(old, _MARK)
    if done is not None:
        raise StoreError(f"{old.shown}: the names were changed on {done['at']} already. Nothing was changed")
    old.write(
        f"create table {_NAMES} (kind text, holds text, old_key text, name text, primary key (kind, holds, old_key))"
    )
    changed = 0
    for kind, table, column, of_what in _columns(layout):
        before = old.count(table)
        for name, becomes in layout.states.get(of_what, {}).items():
            if layout.old(of_what, becomes) != name:
                _remember(old, layout, kind, column, name)
            else:
                _remember(old, layout, kind, column, becomes)
        for name, becomes in layout.states.get(of_what, {}).items():
            update = f"update {quoted(table)} set {quoted(column)} = ? where {quoted(column)} = ?"  # noqa: S608
            rows = old.write(update, (becomes, name))
            changed += rows
            advance(rows)
            if old.read(f"select 1 from {quoted(table)} where {quoted(column)} = ? limit 1", (name,)):  # noqa: S608
                raise StoreError(f"{old.shown}: {table} still holds {name}. Nothing was changed")
        if old.count(table) != before:
            raise StoreError(f"{old.shown}: {table} has other rows than before. Nothing was changed")
    write_mark(old, _MARK, {"at": iso(now_ms, "UTC"), "layout": msgspec.json.encode(layout).decode()})
    return changed


def name_states_back(old: OldDatabase, advance: Callable[[int], None]) -> int:
    """Gives the states their old names again, in rows that were added since too. Returns the number of values.

    The caller holds the database to be written. Raises StoreError where the names were not changed.
    """
    layout = changed_layout(old)
    changed = 0
    for kind, table, column, of_what in _columns(layout):
        own = f"{_NAMES}.kind = '{kind}' and holds = '{column}' and old_key = cast(t.{_key(layout, kind)} as text)"
        noted = f"select 1 from {_NAMES} where {own}"  # noqa: S608
        for becomes in dict.fromkeys(layout.states.get(of_what, {}).values()):
            update = f"update {quoted(table)} as t set {quoted(column)} = ? where {quoted(column)} = ?"  # noqa: S608
            rows = old.write(f"{update} and not exists ({noted})", (layout.old(of_what, becomes), becomes))
            names = [each for each, ours in layout.states[of_what].items() if ours == becomes]
            for name in names[1:]:
                rows += old.write(f"{update} and exists ({noted} and name = ?)", (name, becomes, name))
            changed += rows
            advance(rows)
    old.write(f"drop table {_NAMES}")
    remove_mark(old, _MARK)
    return changed


def changed_layout(old: OldDatabase) -> Layout:
    """The layout by which the names were changed. Raises StoreError where they were not."""
    done = read_mark(old, _MARK)
    if done is None:
        raise StoreError(f"{old.shown}: the names were not changed here. Nothing was changed")
    return msgspec.json.decode(done["layout"], type=Layout)


def count_values(old: OldDatabase, layout: Layout) -> int:
    """The number of values that `rename_states` changes."""
    return sum(
        rows
        for _, table, column, of_what in _columns(layout)
        for name, rows in _names_in(old, table, column)
        if name in layout.states.get(of_what, {})
    )


def _becomes(layout: Layout, definitions: Definitions, of_what: str, name: str) -> str:
    known = definitions.journey_states if of_what == "journey" else definitions.queue_states
    found = layout.ours(of_what, name)
    return found if found in known else ""


def _columns(layout: Layout) -> Iterator[tuple[Kind, str, str, str]]:
    """The columns that are changed: the kind of the rows, table and column, and whose states it holds."""
    for kind in layout.kinds():
        table = layout.tables[kind]
        for holds, of_what in STATES[kind].items():
            if of_what in _RENAMED:
                yield kind, table.table, table.columns[holds], of_what


def _names_in(old: OldDatabase, table: str, column: str) -> list[tuple[str, int]]:
    query = f"select {quoted(column)}, count(*) from {quoted(table)} group by {quoted(column)} order by 1"  # noqa: S608
    return [(str(name), int(rows)) for name, rows in old.read(query) if name is not None]


def _remember(old: OldDatabase, layout: Layout, kind: Kind, column: str, name: str) -> None:
    """Notes the rows that have a name now which the way back would not bring."""
    table = layout.tables[kind].table
    old.write(
        f"insert into {_NAMES} select ?, ?, cast({_key(layout, kind)} as text), ? from {quoted(table)}"  # noqa: S608
        f" where {quoted(column)} = ?",
        (kind.value, column, name, name),
    )


def _key(layout: Layout, kind: Kind) -> str:
    return quoted(layout.tables[kind].key)
