"""Reads the rows of an old database by its layout, a portion at a time."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sync.central.legacy.layout import REQUIRED, Kind, Layout, Lookup, Table
from sync.central.legacy.old_database import PORTION, OldDatabase, quoted
from sync.central.store.errors import StoreError


class OldRow(msgspec.Struct, frozen=True):
    """An old row: its number in the order of the key, its key, what its columns hold, and all values as one text.

    `patient` and `exam` are the ids that this centre knows; None where the row refers to no such user or exam.
    """

    place: int
    key: str
    holds: Mapping[str, Any]
    patient: Any
    exam: Any
    content: str


def demand_tables(old: OldDatabase, layout: Layout) -> None:
    """Raises StoreError where a table or a column of the layout is not there that cannot be left out."""
    if old.columns("incarnation") and old.columns("schema_version"):
        raise StoreError(f"{old.shown}: this is the database of a centre, and not of an old system")
    for kind in layout.kinds():
        table = layout.tables[kind]
        found = old.columns(table.table)
        if not found:
            raise StoreError(
                f"{old.shown}: there is no table {table.table}. Name the tables by --layout; --print-layout shows how"
            )
        missing = [name for name in (table.key, *(table.columns[each] for each in REQUIRED[kind])) if name not in found]
        if missing:
            raise StoreError(f"{old.shown}: the table {table.table} has no column {', '.join(missing)}")
    for lookup in (layout.users, layout.exams):
        if lookup.table and not {lookup.key, lookup.id} <= set(old.columns(lookup.table)):
            raise StoreError(
                f"{old.shown}: there is no table {lookup.table} with {lookup.key} and {lookup.id}."
                ' Name it by --layout, or "" where the other tables hold the ids themselves'
            )


def absent_columns(old: OldDatabase, layout: Layout) -> list[str]:
    """The columns of the layout that are not there, and can be left out: `table.column` each."""
    tables = (layout.tables[kind] for kind in layout.kinds())
    named = ((each.table, column) for each in tables for column in each.columns.values() if column)
    return [f"{table}.{column}" for table, column in named if column not in old.columns(table)]


def lacking_columns(old: OldDatabase, layout: Layout) -> list[str]:
    """The columns that a new row needs and the layout has nothing for: `table.column` each."""
    named = {each.table: {*each.columns.values(), *each.new, each.key} for each in layout.tables.values()}
    named |= {layout.users.table: {layout.users.key, layout.users.id, *layout.users.new}}
    return [
        f"{table}.{column}" for table in named if table for column in old.demanded(table) if column not in named[table]
    ]


def tables_of(layout: Layout) -> list[str]:
    """The tables of the layout whose rows are migrated."""
    return [layout.tables[kind].table for kind in layout.kinds()]


def count_rows(old: OldDatabase, layout: Layout) -> dict[Kind, int]:
    """The number of rows of each kind."""
    return {kind: old.count(layout.tables[kind].table) for kind in layout.kinds()}


def read_portions(old: OldDatabase, layout: Layout, kind: Kind) -> Iterator[list[OldRow]]:
    """All rows of a kind in the order of their key, some hundred at a time."""
    table = layout.tables[kind]
    columns = list(old.columns(table.table))
    here = {holds: columns.index(name) for holds, name in table.columns.items() if name in columns}
    key, width = columns.index(table.key), len(columns)
    portion: list[OldRow] = []
    for place, values in enumerate(old.rows(_query(old, layout, table, columns)), 1):
        holds = {what: values[at] for what, at in here.items()}
        content = old.encode(values[:width])
        portion.append(OldRow(place, str(values[key]), holds, values[width], values[width + 1], content))
        if len(portion) == PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _query(old: OldDatabase, layout: Layout, table: Table, columns: list[str]) -> str:
    """All columns of a table, then the ids of its patient and its exam by the tables that they stand in."""
    chosen = [old.chosen(f"t.{quoted(name)}") for name in columns]
    joins = []
    for alias, lookup in (("u", layout.users), ("x", layout.exams)):
        column = table.columns.get("user" if alias == "u" else "exam")
        if column not in columns:
            chosen.append("null")
        elif not lookup.table:
            chosen.append(old.chosen(f"t.{quoted(column)}"))
        else:
            chosen.append(old.chosen(f"{alias}.{quoted(lookup.id)}"))
            joins.append(_join(alias, lookup, column))
    return f"select {', '.join(chosen)} from {quoted(table.table)} t{''.join(joins)} order by t.{quoted(table.key)}"  # noqa: S608


def _join(alias: str, lookup: Lookup, column: str) -> str:
    return f" left join {quoted(lookup.table)} {alias} on {alias}.{quoted(lookup.key)} = t.{quoted(column)}"
