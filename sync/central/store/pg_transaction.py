"""A transaction on PostgreSQL that writes: rows that are written one after another go to the server in one message.

The way to the server and back costs more than most statements. What reads, or changes more than one row, comes after
the rows that wait, so it sees them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sync.central.store.connection import Cursor
from sync.central.store.errors import StaleJourney
from sync.central.store.pg_connection import PgConnection
from sync.central.store.transactions import WriteTransaction, Writing


class PgTransaction(WriteTransaction):
    """One transaction, or a part of one that shares a commit."""

    writes_together = True

    def __init__(self, connection: PgConnection, seen: int | None = None) -> None:
        super().__init__(connection, seen)
        self._writes_at_once = connection.writes_at_once
        self._waiting: list[tuple[Writing, Mapping[str, object]]] = []
        self.execute, self.executemany = self._execute, self._executemany

    def write(self, writing: Writing, row: Mapping[str, object]) -> None:
        """Has a row written before the next statement. What is wrong with it shows then."""
        self._waiting.append((writing, row))

    def flush(self) -> None:
        """Writes the rows that wait. Raises StaleJourney and sqlite3.Error."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        numbers = self._writes_at_once([(writing.sql, row) for writing, row in waiting])
        if any(number != 1 and writing.changes_one for (writing, _), number in zip(waiting, numbers, strict=True)):
            raise StaleJourney

    def rows_at_once(self, sql: str, width: int, parameters: Mapping[str, object]) -> list[Any]:
        """The rows of a query, after the rows that wait are written."""
        self.flush()
        return super().rows_at_once(sql, width, parameters)

    def _execute(self, sql: str, parameters: Any = ()) -> Cursor:
        if sql.startswith("rollback to"):
            self._waiting.clear()  # they are of the savepoint: its begin has written those before
        self.flush()
        return self.connection.execute(sql, parameters)

    def _executemany(self, sql: str, parameters: Iterable[Any]) -> Cursor:
        self.flush()
        return self.connection.executemany(sql, parameters)
