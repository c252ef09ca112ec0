"""A transaction on the centre's database. `Store.read()` and `Store.write()` open one.

SQL is written once, for SQLite and PostgreSQL: `:name` parameters, rows read by column name, `on conflict … do update`,
`returning`, and nothing that only one of the two knows.
"""

import contextlib
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

from sync.central.store.news import BlockChanged, NewsItem, PatientChanged, VerdictRevised


class ReadTransaction:
    """A consistent view of the database at one moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        # The hot path: one attribute look-up and no wrapper around the driver.
        self.execute = connection.execute
        self.executemany = connection.executemany

    def row(self, sql: str, **parameters: object) -> sqlite3.Row | None:
        """The first row, or None."""
        found: sqlite3.Row | None = self.execute(sql, parameters).fetchone()
        return found

    def value(self, sql: str, **parameters: object) -> Any:
        """The first column of the first row. The query must give a row."""
        return self.execute(sql, parameters).fetchone()[0]

    def rows(self, sql: str, **parameters: object) -> list[sqlite3.Row]:
        """Every row."""
        return self.execute(sql, parameters).fetchall()

    def latest_change(self) -> int:
        """The highest change number in use."""
        change = self.counter("change")
        assert change is not None
        return change

    def counter(self, name: str) -> int | None:
        """The number stored under a name, or None."""
        row = self.row("select value from counters where name = :name", name=name)
        return int(row["value"]) if row else None


class WriteTransaction(ReadTransaction):
    """A transaction that writes. Its `news` are announced after the commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._connection = connection
        self.news: list[NewsItem] = []

    def next_change(self) -> int:
        """Takes a change number. Its row stays locked until the commit, so numbers become visible in their order."""
        return int(self.value("update counters set value = value + 1 where name = 'change' returning value"))

    def set_counter(self, name: str, value: int) -> None:
        """Stores a number under a name, in place of an earlier one."""
        self.execute(
            "insert into counters values (:name, :value) on conflict (name) do update set value = excluded.value",
            {"name": name, "value": value},
        )

    def announce(self, number: int, patient_id: str, action: str | None = None, action_id: str | None = None) -> None:
        """Adds a change of a patient's state to the news."""
        self.news.append(PatientChanged(number, patient_id, action, action_id))

    def announce_verdict(self, number: int) -> None:
        """Adds a revised verdict, under its change number, to the news."""
        self.news.append(VerdictRevised(number))

    def announce_block(self, number: int) -> None:
        """Adds a card that was blocked or unblocked, under the change number, to the news."""
        self.news.append(BlockChanged(number))

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction. An exception inside undoes this part alone, with its news."""
        news_before = len(self.news)
        self.execute("savepoint part")
        try:
            yield
        except BaseException:
            # A full disk rolls back the whole transaction by itself. The caller must see that error, not another one.
            if self._connection.in_transaction:
                self.execute("rollback to savepoint part")
                self.execute("release savepoint part")
            del self.news[news_before:]
            raise
        self.execute("release savepoint part")


def any_of(name: str, values: Collection[str]) -> tuple[str, dict[str, str]]:
    """For `… in {names}`: the placeholders in brackets, and their parameters. The SQL text holds no value."""
    parameters = {f"{name}{number}": value for number, value in enumerate(sorted(values))}
    return f"({', '.join(f':{each}' for each in parameters)})", parameters
