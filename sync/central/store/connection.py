"""What a transaction needs of a database's driver, in the form of Python's own `sqlite3`.

Errors are those of `sqlite3` for both databases: they are the classes of DB-API 2.0 (PEP 249).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sync.central.store.news import NewsItem

T = TypeVar("T", covariant=True)


class Row(Protocol):
    """A row: its values in the order of the columns, by place and by name."""

    def __len__(self) -> int:
        """The number of columns."""

    def __getitem__(self, key: int | str | slice, /) -> Any:
        """The value of a column."""

    def __iter__(self) -> Iterator[Any]:
        """The values."""

    def keys(self) -> Sequence[str]:
        """The names of the columns."""


class Cursor(Protocol):
    """What a statement has given."""

    @property
    def rowcount(self) -> int:
        """The number of rows that it has written."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """The rows that are left, one after the other."""


class Connection(Protocol):
    """One connection. It begins and ends transactions by statements alone."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open. It is not where the database itself has ended it."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Cursor:
        """Runs a statement. Raises sqlite3.Error."""

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Cursor:
        """Runs a statement for each row of parameters. Raises sqlite3.Error."""

    def rows_at_once(self, sql: str, width: int, parameters: Mapping[str, object], /) -> list[Sequence[Any]]:
        """The rows of a query with so many columns, texts and numbers alone, in any order, in one step of the driver.

        Raises sqlite3.Error.
        """


class Writer(Protocol[T]):
    """The one connection that writes, and what its database needs before and after a transaction."""

    @property
    def connection(self) -> Connection:
        """The connection. It is the same one as long as the writer lives."""

    def begin(self) -> None:
        """Begins a transaction. Raises sqlite3.Error."""

    def transaction(self) -> T:
        """The transaction that was begun, or a part of it."""

    def tell(self, news: Sequence[NewsItem]) -> None:
        """Has news told to other services by the commit of the open transaction."""

    def commit(self) -> None:
        """Makes the transaction durable. Raises as `begin` does."""

    def fail(self, error: BaseException) -> None:
        """Hears that a statement or a commit has failed."""

    def rest(self) -> None:
        """Has a moment for upkeep after a commit, when those who waited for it have heard."""
