"""A database of the old system, whichever it is. `open_old()` opens one by its URL.

It is either read under a lock that keeps writers out, or written in one transaction. Every fault is a StoreError that
names it: no other error of its driver leaves this room.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sync.central.store.place import is_postgresql

Values = Sequence[Any]
PORTION = 1000  # rows that are read at a time
IN_USE = "{shown}: the old system is using it: stop it, and give the command again. Nothing was changed"


class OldDatabase(Protocol):
    """One open database of the old system. Names of tables and columns are those of a layout."""

    @property
    def shown(self) -> str:
        """The database as messages name it, without a password."""

    def columns(self, table: str) -> Mapping[str, str]:
        """The columns of a table in their order, each with its declared type; empty where there is no such table."""

    def demanded(self, table: str) -> Sequence[str]:
        """The columns of a table that a new row must have a value for, since the database gives none."""

    def held(self, tables: Sequence[str], *, writes: bool) -> AbstractContextManager[None]:
        """A transaction that keeps other writers out of these tables. It is undone where the context ends by an error.

        Raises StoreError where another program writes them.
        """

    def count(self, table: str) -> int:
        """The number of rows of a table."""

    def rows(self, sql: str) -> Iterator[Values]:
        """The rows of a query, a portion in memory at a time."""

    def read(self, sql: str, values: Values = ()) -> list[Values]:
        """The rows of a query whose values stand at `?`."""

    def write(self, sql: str, values: Values = ()) -> int:
        """Runs a statement whose values stand at `?`. Returns the number of rows that it has written."""

    def insert(self, table: str, key: str, row: Mapping[str, Any]) -> Any:
        """Adds a row, by column, and returns its `key`. The database gives the key where the row has none."""

    def chosen(self, column: str) -> str:
        """SQL for a column of a query, as `rows` and `read` are to give it."""

    def native(self, value: Any) -> Any:
        """A value of ours as the database takes it: a text, a number, a truth, or a JSON object."""

    def moment(self, at: datetime) -> str:
        """A moment as the old system writes it, in the zone of its times."""

    def encode(self, values: Values) -> str:
        """Values that were read as one JSON text, from which `decode` makes the very same again."""

    def decode(self, content: str) -> list[Any]:
        """The values of a text of `encode`."""

    def copy_to(self, file: Path) -> None:
        """Writes a copy into an empty file and checks it. Called within `held`, before anything is written."""

    def settle_numbers(self, table: str, key: str) -> None:
        """Has the database give the next row of a table a number that is free, after rows were added with theirs."""

    def close(self) -> None:
        """Ends the use of the database."""


@contextmanager
def open_old(url: str, *, read_only: bool = False) -> Iterator[OldDatabase]:
    """Opens the database of a URL, of SQLite or PostgreSQL. Raises StoreError.

    A `read_only` one may be in use: nothing is locked, and SQLite's log stays as it is.
    """
    # Imported here: a hospital has one of them.
    if is_postgresql(url):
        from sync.central.legacy.old_postgres import OldPostgres

        old: OldDatabase = OldPostgres(url)
    else:
        from sync.central.legacy.old_sqlite import OldSqlite

        old = OldSqlite(url, read_only=read_only)
    try:
        yield old
    finally:
        old.close()


@contextmanager
def held_to_write(old: OldDatabase, tables: Sequence[str], *, trial: bool) -> Iterator[None]:
    """A transaction that writes, as `OldDatabase.held`. A `trial` is undone at its end."""
    with suppress(_Undone), old.held(tables, writes=True):
        yield
        if trial:
            raise _Undone


class _Undone(Exception):
    """A trial has come to its end."""


def quoted(name: str) -> str:
    """The name of a table or a column as SQL takes it. A schema may stand before it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def insertion(table: str, key: str, row: Mapping[str, Any], overriding: str = "") -> str:
    """The statement that adds a row and returns its key. The values stand at `?`."""
    names, places = ", ".join(map(quoted, row)), ", ".join("?" * len(row))
    return f"insert into {quoted(table)} ({names}) {overriding} values ({places}) returning {quoted(key)}"  # noqa: S608
