"""A transaction on PostgreSQL that writes: rows that are written one after another go to the server in one message.

The way to the server and back costs more than most statements. What reads, or changes more than one row, comes after
the rows that wait, so it sees them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from sync.central.store.connection import Cursor
from sync.central.store.errors import StaleJourney
from sync.central.store.news import NewsItem
from sync.central.store.pg_connection import PgConnection
from sync.central.store.transactions import NEXT_CHANGE, WriteTransaction, Writing

Statement = tuple[str, Mapping[str, object]]

LATE = 1 << 62  # no change number is as high
_TAKEN = "current_setting('nfc_kiosk.change', true)"  # of the transaction
_TAKE = f"{NEXT_CHANGE}, set_config('nfc_kiosk.change', value::text, true)"


class PgTransaction(WriteTransaction):
    """One transaction in turn, or a part of one that shares a commit."""

    writes_together = True

    def __init__(self, connection: PgConnection, seen: int | None = None) -> None:
        super().__init__(connection, seen)
        self._at_once = connection.at_once
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
        done = self._at_once([(writing.sql, row) for writing, row in waiting])
        if any(each.rowcount != 1 and writing.changes_one for (writing, _), each in zip(waiting, done, strict=True)):
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


class BesideTransaction(PgTransaction):
    """A transaction beside those of other services. Its rows go to the server with its commit, in one message.

    Its change number is taken by that message too. So the others wait for the number until the commit, and not while
    this process prepares rows, or its threads wait for each other. Until then `LATE` stands for the number.
    """

    def __init__(self, connection: PgConnection, seen: int) -> None:
        super().__init__(connection, seen)
        self.is_late = False  # a number is to be taken by the last message
        self.has_written = False  # something that an undo has to take back
        self._number: int | None = None  # the first one that was taken before it

    def next_change(self) -> int:
        """Takes a change number, which is `LATE` until it is known."""
        if self.is_late or self._number is not None:
            self.flush()
            return super().next_change()
        self.is_late = True
        return LATE

    def flush(self) -> None:
        """Writes the rows that wait, with the number where there is to be one. Raises as its base does."""
        self.has_written |= self.is_late or bool(self._waiting)
        if self.is_late:
            self.is_late = False
            waiting, self._waiting = self._waiting, []
            self._number = super().next_change()
            self._waiting = [(writing, _numbered(row, self._number)) for writing, row in waiting]
            self.number_news(self._number)
        super().flush()

    def rest(self, texts: Sequence[str], channel: str) -> list[Statement]:
        """What is left to be sent with the commit: it takes the number, writes what waits, and tells texts."""
        waiting, self._waiting = self._waiting, []
        statements: list[Statement] = [(_TAKE, {})] if self.is_late else []
        statements += [_late(writing, row) for writing, row in waiting]
        return statements + [(_TELL.format(channel=channel), {"text": text}) for text in texts]

    def number_news(self, change: int) -> None:
        """Gives the news their number."""
        self.news[:] = [replace(item, number=change) if item.number == LATE else item for item in self.news]

    def _execute(self, sql: str, parameters: Any = ()) -> Cursor:
        self.flush()
        self.has_written |= not sql.startswith("select")
        return super()._execute(sql, _numbered(parameters, self._number))

    def _executemany(self, sql: str, parameters: Iterable[Any]) -> Cursor:
        self.flush()
        self.has_written = True
        return super()._executemany(sql, [_numbered(each, self._number) for each in parameters])


def commit_beside(
    connection: PgConnection,
    transactions: Sequence[BesideTransaction],
    texts_of: Callable[[Sequence[NewsItem]], Sequence[str]],
    channel: str,
) -> None:
    """Makes transactions durable that share a commit, in one message, and gives their news their numbers.

    `texts_of` makes the texts that are told to the channel. Raises Overtaken where a row was changed meanwhile, and
    sqlite3.Error.
    """
    statements: list[Statement] = []
    numbered: list[tuple[int, BesideTransaction]] = []
    # The number first: who waits for it holds no row that another one may wait for.
    for each in sorted(transactions, key=lambda each: not each.is_late):
        if each.is_late:
            numbered.append((len(statements), each))
        statements += each.rest(texts_of(each.news), channel)
    done = connection.at_once([*statements, ("commit", {})])
    for place, each in numbered:
        taken = done[place].fetchone()
        assert taken is not None
        each.number_news(taken["value"])


# In the text `LATE` may stand for the number.
_TELL = f"select pg_notify('{{channel}}', replace(:text, '{LATE}', coalesce({_TAKEN}, '')))"


def _numbered(row: Any, change: int | None) -> Any:
    """Parameters with the number that `LATE` stands for."""
    if change is None or not isinstance(row, Mapping):
        return row
    return {name: change if value == LATE else value for name, value in row.items()}


def _late(writing: Writing, row: Mapping[str, object]) -> Statement:
    """A statement that takes the number from the transaction, and fails where it does not write its row."""
    names = tuple(name for name, value in row.items() if value == LATE)
    return _late_sql(writing.sql, names, demands_row=writing.changes_one), row


@lru_cache(maxsize=256)
def _late_sql(sql: str, names: tuple[str, ...], *, demands_row: bool) -> str:
    for name in names:
        sql = re.sub(rf"(?<!:):{name}\b", f"{_TAKEN}::bigint", sql)
    # Without the row the server divides by zero: an error, so that the commit does not come.
    return f"with done as ({sql} returning 1) select 1 / count(*) from done" if demands_row else sql  # noqa: S608
