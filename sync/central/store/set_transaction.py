"""A part of a write transaction for a set of actions: rows are read ahead, and written together.

Memory never decides differently from the database. A statement that asks the database sees every row, since what waits
is written first. A statement that changes rows by itself ends all that was read ahead: the questions go to the database
from then on.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal, cast

from sync.central.store.connection import Cursor
from sync.central.store.errors import StaleJourney
from sync.central.store.transactions import (
    NEXT_CHANGE,
    UNREAD,
    K,
    Order,
    Question,
    Unread,
    V,
    WriteTransaction,
    Writing,
)

_NONE: dict[Hashable, Any] = {}
_NAME = re.compile(r":([a-z_]+)")


class SetTransaction(WriteTransaction):
    """The transaction of a set, inside of a transaction `db` that is open. Its news are those of `db`."""

    writes_together = True

    def __init__(self, db: WriteTransaction) -> None:
        super().__init__(db.connection)
        self.news = db.news
        self._ask, self._write_all = db.execute, db.executemany
        self._answers: dict[object, dict[Hashable, Any]] = {}
        self._rows: defaultdict[Writing, list[Mapping[str, object]]] = defaultdict(list)
        self._changes: list[tuple[Writing, Mapping[str, object]]] = []  # of rows that are there: their order counts
        self._change: int | None = None  # the last change number that this set has taken; None: it is in its row
        self.execute, self.executemany = self._execute, self._executemany

    @property
    def looks_ahead(self) -> bool:
        """Whether what was read ahead still counts."""
        return bool(self._answers)

    def known(self, question: Question[K, V], key: K) -> V | Literal[Unread.UNREAD]:
        """The answer for a key that was read ahead; UNREAD for any other key."""
        answers: dict[Hashable, Any] = self._answers.get(question, _NONE)
        found: V | Literal[Unread.UNREAD] = answers.get(key, UNREAD)
        return found

    def learn(self, question: Question[K, V], key: K, answer: V) -> None:
        """Notes an answer after a `write` of its row. Nothing is noted where nothing counts as read ahead."""
        answers = self._answers.get(question)
        if answers is not None:
            answers[key] = answer

    def unlearn(self, question: Question[K, V]) -> None:
        """Forgets the answers to a question: the database is asked again."""
        self._answers.pop(question, None)

    def read_ahead(self, question: Question[K, V], answers: Mapping[K, V]) -> None:
        """Takes over the answers of the database for some keys."""
        self._answers.setdefault(question, {}).update(cast("Mapping[Hashable, Any]", answers))

    def write(self, writing: Writing, row: Mapping[str, object]) -> None:
        """Has a row written, with the others of its statement."""
        if writing.order is Order.CHANGES:
            self._changes.append((writing, row))
        else:
            self._rows[writing].append(row)

    def next_change(self) -> int:
        """Takes a change number. The first one locks the row of the numbers, and the last one is stored in it."""
        self._change = int(self._ask(NEXT_CHANGE).fetchone()[0]) if self._change is None else self._change + 1
        return self._change

    def flush(self) -> None:
        """Writes the rows that wait. Raises StaleJourney, and the errors of the database."""
        rows, changes = self._rows, self._changes
        if rows or changes:
            self._rows, self._changes = defaultdict(list), []
        for writing, of_statement in _in_order(rows, changes):
            sql, values_of = _by_place(writing.sql)
            if self._write_all(sql, map(values_of, of_statement)).rowcount != len(of_statement) and writing.changes_one:
                raise StaleJourney
        if self._change is not None:
            self._ask("update counters set value = :value where name = 'change'", {"value": self._change})
            self._change = None

    def rows_at_once(self, sql: str, width: int, parameters: Mapping[str, object]) -> list[Sequence[Any]]:
        """The rows of a query, after the rows that wait are written."""
        self._end_ahead_of(sql)
        return super().rows_at_once(sql, width, parameters)

    def _execute(self, sql: str, parameters: Any = ()) -> Cursor:
        self._end_ahead_of(sql)
        return self._ask(sql, parameters)

    def _executemany(self, sql: str, parameters: Iterable[Any]) -> Cursor:
        self._end_ahead_of(sql)
        return self._write_all(sql, parameters)

    def _end_ahead_of(self, sql: str) -> None:
        self.flush()
        if not sql.startswith("select"):
            self._answers.clear()


def _in_order(
    rows: Mapping[Writing, list[Mapping[str, object]]], changes: Sequence[tuple[Writing, Mapping[str, object]]]
) -> Iterator[tuple[Writing, list[Mapping[str, object]]]]:
    """The statements with their rows, in their order. Changes stay in the order in which they were made."""
    ordered = sorted(rows, key=lambda each: each.order)
    yield from ((each, rows[each]) for each in ordered if each.order < Order.CHANGES)
    yield from ((writing, [row for _, row in group]) for writing, group in groupby(changes, key=itemgetter(0)))
    yield from ((each, rows[each]) for each in ordered if each.order > Order.CHANGES)


@lru_cache(maxsize=256)
def _by_place(sql: str) -> tuple[str, Callable[[Mapping[str, object]], tuple[object, ...]]]:
    """A statement with nameless placeholders, and what takes their values out of a row.

    The driver looks up each name for each row, which takes longer than the rest of a row's writing.
    """
    names = _NAME.findall(sql)
    # For a single name, itemgetter would give its value alone.
    return _NAME.sub("?", sql), itemgetter(*names) if len(names) > 1 else lambda row: tuple(map(row.get, names))
