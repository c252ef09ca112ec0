"""Connections to SQLite: many rows in one step, and the one connection that writes."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from sync.central.store.news import NewsItem
from sync.central.store.transactions import WriteTransaction
from sync.open_files import OpenFiles
from sync.write_ahead_log import WriteAheadLog


class SqliteConnection(sqlite3.Connection):
    """A connection. Its statements are those of the driver itself."""

    def rows_at_once(self, sql: str, width: int, parameters: Mapping[str, object]) -> list[Sequence[Any]]:
        """As `Connection.rows_at_once()`: SQLite makes one JSON text of all rows.

        The driver gives the interpreter's lock away before each row, and waits for it again after it. Beside busy
        threads that wait is longer than the reading of the row.
        """
        found: list[Sequence[Any]] = msgspec.json.decode(self.execute(_in_one(sql, width), parameters).fetchone()[0])
        return found


@lru_cache(maxsize=256)
def _in_one(sql: str, width: int) -> str:
    columns = ", ".join(f"c{number}" for number in range(width))
    return f"with t ({columns}) as ({sql}) select json_group_array(json_array({columns})) from t"  # noqa: S608


@dataclass(frozen=True, slots=True)
class SqliteWriter:
    """The connection that writes, with its log and its files."""

    connection: SqliteConnection
    log: WriteAheadLog
    files: OpenFiles

    def begin(self) -> None:
        """Begins a transaction. Raises FileLost where the file is no longer at its path, and sqlite3.Error."""
        self.log.begin()
        self.files.confirm()
        self.connection.execute("begin immediate")

    def transaction(self) -> WriteTransaction:
        """The transaction."""
        return WriteTransaction(self.connection)

    def tell(self, news: Sequence[NewsItem]) -> None:
        """Does nothing: no other service has the file."""

    def commit(self) -> None:
        """Makes the transaction durable. Raises as `begin` does."""
        self.connection.execute("commit")
        self.files.confirm()

    def fail(self, error: BaseException) -> None:
        """Tells the log."""
        self.log.fail(error)

    def rest(self) -> None:
        """Writes the log back into the file where it has grown."""
        self.log.commit()
