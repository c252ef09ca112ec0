"""Moves a centre into another database, such as from SQLite to PostgreSQL: the same hospital and the same incarnation.

All rows come over in one transaction, and each of them is read again and compared before it ends. The old database
stays as it was, and takes no service any more. A move that was interrupted is begun again by the same command: what is
at its goal already is compared, and not written again.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from sync.central.maintenance.incarnation import move_marker
from sync.central.store.errors import StoreError
from sync.central.store.interface import Store
from sync.central.store.place import Place
from sync.central.store.tables import Table, tables
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import iso

PORTION = 1000  # rows that are read and written at a time
PASSES = 2  # over all rows: one writes, one compares
_MOVED = "moved_ms"  # the name of a counter

Advance = Callable[[int], None]
_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """The number of rows, and the change number of the last one."""

    rows: int
    change: int


def demand_not_moved(db: ReadTransaction, place: Place) -> None:
    """Raises StoreError where the centre has moved out of this database."""
    moved_ms = db.counter(_MOVED)
    if moved_ms is not None:
        raise StoreError(f"{place}: the centre moved to another database on {iso(moved_ms, 'UTC')}: name that one")


def count_rows(source: Store) -> int:
    """The number of rows that a move takes over."""
    with source.read() as db:
        return sum(db.value(f"select count(*) from {table.name}") for table in tables())  # noqa: S608


def move(source: Store, target: Store, now_ms: int, advance: Advance = lambda _: None) -> Moved:
    """Moves the centre of `source` into the database `target`, which holds none, or holds this one already.

    Calls `advance` with the number of rows of each portion, `PASSES` times for each row. Raises StoreError where a row
    cannot be kept there, is not the same there, or where another centre is there. Both databases stay as they were
    then. Raises sqlite3.Error.
    """
    with source.read() as old:
        demand_centre(old, source.place)
        with target.write() as new:
            if _is_empty(new):
                _copy(old, new, target.place, advance)
            rows = _compare(old, new, target.place, advance)
        change = old.latest_change()
    move_marker(source, target)
    with source.write() as db:
        db.set_counter(_MOVED, now_ms)
    return Moved(rows, change)


def demand_centre(db: ReadTransaction, place: Place) -> None:
    """Raises StoreError where no service has ever opened the database."""
    if db.row("select 1 from incarnation") is None:
        raise StoreError(f"{place}: there is no centre in this database")


def _is_empty(db: ReadTransaction) -> bool:
    """Whether nobody has used the database. Its only row then is the number of the first change."""
    others = [table for table in tables() if table.name != "counters"]
    return db.latest_change() == 0 and not any(db.row(f"select 1 from {table.name} limit 1") for table in others)  # noqa: S608


def _copy(old: ReadTransaction, new: WriteTransaction, place: Place, advance: Advance) -> None:
    new.execute("delete from counters")
    for table in tables():
        for names, rows in _portions(old, table):
            into = f"insert into {table.name} ({', '.join(names)}) values ({', '.join('?' * len(names))})"  # noqa: S608
            try:
                new.executemany(into, rows)
            except sqlite3.DataError as error:
                raise StoreError(f"{place}: cannot keep a row of the table {table.name}: {error}") from error
            advance(len(rows))


def _compare(old: ReadTransaction, new: ReadTransaction, place: Place, advance: Advance) -> int:
    """Raises StoreError where the two do not hold the same rows. Returns their number."""
    number = 0
    for table in tables():
        for here, there in zip_longest(_portions(old, table), _portions(new, table)):
            if here != there:
                raise StoreError(
                    f"{place}: holds other rows in the table {table.name}. Give an empty database: nothing was moved"
                )
            number += len(here[1])
            advance(len(here[1]))
    return number


def _portions(db: ReadTransaction, table: Table) -> Iterator[tuple[tuple[str, ...], list[_Row]]]:
    """A table's columns by their names, and its rows in the order of its key. The mark of a move is left out."""
    key = ", ".join(table.key)
    after: _Row = ()
    while True:
        beyond = f" where ({key}) > ({', '.join('?' * len(after))})" if after else ""
        found = db.execute(f"select * from {table.name}{beyond} order by {key} limit {PORTION}", after).fetchall()  # noqa: S608
        if not found:
            return
        after = tuple(found[-1][name] for name in table.key)
        rows = [tuple(row) for row in found]
        yield tuple(found[0].keys()), [row for row in rows if row[0] != _MOVED] if table.name == "counters" else rows
