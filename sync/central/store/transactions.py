"""A transaction on the centre's database. `Store.read()` and `Store.write()` open one.

SQL is written once, for SQLite and PostgreSQL: `:name` parameters, rows read by column name, `on conflict … do update`,
`returning`, and nothing that only one of the two knows.
"""

import contextlib
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache
from typing import Any, Final, Generic, Literal, TypeVar

from msgspec.structs import replace

from sync.central.store.connection import Connection, Row
from sync.central.store.errors import Overtaken, StaleJourney
from sync.central.store.news import (
    BlockChanged,
    CardKeyPublished,
    CaseChanged,
    CommonChanged,
    NewsItem,
    PatientChanged,
    TimeConfirmed,
    VerdictRevised,
)

# Of one transaction of long work. Under the writer it is at most 50 ms, its last item and the commit included.
PORTION_S = 0.03

COMMON = "common"  # the name of a counter: it rises where services have to read again what they keep in memory
NEXT_CHANGE = "update counters set value = value + 1 where name = 'change' returning value"

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Unread(Enum):
    """The answer to a question whose rows were not read ahead."""

    UNREAD = "unread"


UNREAD: Final = Unread.UNREAD


class Question(Generic[K, V]):
    """A question about one row or a few, which a set of actions asks for many keys: its rows can be read ahead."""


class Order(IntEnum):
    """The place of a statement among those of a set: the rows of a later one may refer to those of an earlier one."""

    PATIENTS = 0
    FIRST = 1  # journeys, visits, cases
    SECOND = 2
    CHANGES = 3  # of rows that are there by then
    OTHERS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Writing:
    """A statement that writes one row, and that a set of actions writes once for all its rows.

    `changes_one`: the row must be there as the statement names it, or another transaction has changed it since.
    """

    sql: str
    order: Order = Order.OTHERS
    changes_one: bool = False


class ReadTransaction:
    """A consistent view of the database at one moment."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        # The hot path: one attribute look-up and no wrapper around the driver.
        self.execute = connection.execute
        self.executemany = connection.executemany

    def known(self, question: Question[K, V], key: K) -> V | Literal[Unread.UNREAD]:  # noqa: ARG002
        """The answer for a key that was read ahead; UNREAD where the caller has to ask the database."""
        return UNREAD

    def row(self, sql: str, **parameters: object) -> Row | None:
        """The first row, or None."""
        found: Row | None = self.execute(sql, parameters).fetchone()
        return found

    def value(self, sql: str, **parameters: object) -> Any:
        """The first column of the first row. The query must give a row."""
        return self.execute(sql, parameters).fetchone()[0]

    def rows(self, sql: str, **parameters: object) -> list[Row]:
        """Every row."""
        return self.execute(sql, parameters).fetchall()

    def rows_at_once(self, sql: str, width: int, parameters: Mapping[str, object]) -> list[Sequence[Any]]:
        """The rows of a query with so many columns, texts and numbers alone. They come in any order.

        It is the way to read many rows beside busy threads.
        """
        return self.connection.rows_at_once(sql, width, parameters)

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
    """A transaction that writes. Its `news` are announced after the commit.

    `asked_from` is the network address of the request, which the rows of the audit name. It is None for a command, and
    for what the centre does by itself.

    `writes_together`: `write` keeps the rows, and they are written together later.
    """

    writes_together = False

    def __init__(self, connection: Connection, seen: int | None = None) -> None:
        """`seen` is the last change number at its begin, where it is beside transactions of other services."""
        super().__init__(connection)
        self.news: list[NewsItem] = []
        self.asked_from: str | None = None
        self._seen = seen

    def demand_turn(self) -> None:
        """Raises Overtaken in a transaction beside others. What reads more than its own rows is done in turn."""
        if self._seen is not None:
            raise Overtaken

    def has_overtaken_nobody(self, change: int) -> bool:
        """Whether nothing else was committed since the begin of this transaction, which has taken this change number.

        False where that is not known.
        """
        return self._seen is None or change == self._seen + 1

    def learn(self, question: Question[K, V], key: K, answer: V) -> None:
        """Notes the answer for a key after a `write` of its row. A transaction that reads nothing ahead needs none."""

    def unlearn(self, question: Question[K, V]) -> None:
        """Forgets the answers to a question, after a `write` that changes them in a way that costs too much to note."""

    def write(self, writing: Writing, row: Mapping[str, object]) -> None:
        """Writes a row. Raises StaleJourney where another transaction has changed the row that it is to change."""
        if self.execute(writing.sql, row).rowcount != 1 and writing.changes_one:
            raise StaleJourney

    def flush(self) -> None:
        """Writes what waits to be written. Called at the end of the transaction. Raises as `write` does."""

    def next_change(self) -> int:
        """Takes a change number. Its row stays locked until the commit, so numbers become visible in their order."""
        return int(self.value(NEXT_CHANGE))

    def next_changes(self, number: int) -> range:
        """Takes so many change numbers at once, as `next_change()` does."""
        last = self.value(
            "update counters set value = value + :number where name = 'change' returning value", number=number
        )
        return range(last - number + 1, last + 1)

    def set_counter(self, name: str, value: int) -> None:
        """Stores a number under a name, in place of an earlier one."""
        self.execute(
            "insert into counters (name, value) values (:name, :value)"
            " on conflict (name, site_day) do update set value = excluded.value",
            {"name": name, "value": value},
        )

    def announce(self, number: int, patient_id: str, action: str | None = None, action_id: str | None = None) -> None:
        """Adds a change of a patient's state to the news."""
        self.news.append(PatientChanged(number, patient_id, action, action_id))

    def announce_state(self, patient_id: str, state: object, seen_by: str) -> None:
        """Adds a patient's state, as a role sees it, to the news of the last change of that patient."""
        for place in reversed(range(len(self.news))):
            item = self.news[place]
            if isinstance(item, PatientChanged) and item.patient_id == patient_id:
                self.news[place] = replace(item, state=state, seen_by=seen_by)
                return

    def announce_verdict(self, number: int) -> None:
        """Adds a revised verdict, under its change number, to the news."""
        self.news.append(VerdictRevised(number))

    def announce_block(self, number: int) -> None:
        """Adds a card that was blocked or unblocked, under the change number, to the news."""
        self.news.append(BlockChanged(number))

    def announce_case(self, exception_id: str) -> None:
        """Adds a case that has come, changed or gone to the news, once of several times in a row."""
        changed = CaseChanged(exception_id)
        if not self.news or self.news[-1] != changed:
            self.news.append(changed)

    def announce_time(self, host_id: str) -> None:
        """Adds that a person has confirmed the clock of a host to the news."""
        self.news.append(TimeConfirmed(0, host_id))

    def note_common_change(self) -> None:
        """Has every service read again what it keeps in memory: card keys and definitions."""
        self.execute(
            "insert into counters (name, value) values (:name, 1)"
            " on conflict (name, site_day) do update set value = counters.value + 1",
            {"name": COMMON},
        )
        self.news.append(CommonChanged())

    def announce_card_keys(self, number: int) -> None:
        """Adds a published card key, under a change number, to the news."""
        self.news.append(CardKeyPublished(number))

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction. An exception inside undoes this part alone, with its news."""
        news_before = len(self.news)
        self.execute("savepoint part")
        try:
            yield
            self.flush()
        except BaseException:
            # A full disk or a lost connection ends the whole transaction. The caller must see that error, no other one.
            if self.connection.in_transaction:
                self.execute("rollback to savepoint part")
                self.execute("release savepoint part")
            del self.news[news_before:]
            raise
        self.execute("release savepoint part")


def any_of(name: str, values: Collection[str]) -> tuple[str, dict[str, str]]:
    """For `… in {names}`: the placeholders in brackets, and their parameters. The SQL text holds no value."""
    parameters = {f"{name}{number}": value for number, value in enumerate(sorted(values))}
    return _in_brackets(parameters), parameters


def each_of(name: str, values: Collection[str]) -> tuple[str, dict[str, str]]:
    """As `any_of`, for the keys of a set of any size: the last key is repeated, so that few sizes of statement are
    prepared. These are the powers of two and, above 64, its multiples.
    """
    keys = list(values)
    size = 1 << max(len(keys) - 1, 0).bit_length() if len(keys) <= 64 else -(-len(keys) // 64) * 64
    keys += keys[-1:] * (size - len(keys))
    places, names = _numbered(name, len(keys))
    return places, dict(zip(names, keys, strict=True))


@lru_cache(maxsize=256)
def _numbered(name: str, number: int) -> tuple[str, tuple[str, ...]]:
    """So many placeholders in brackets, and their names."""
    names = tuple(f"{name}{place}" for place in range(number))
    return _in_brackets(names), names


def _in_brackets(names: Collection[str]) -> str:
    """The placeholders of names. PostgreSQL takes no empty brackets."""
    return f"({', '.join(f':{each}' for each in names)})" if names else "(select null where 1 = 0)"
