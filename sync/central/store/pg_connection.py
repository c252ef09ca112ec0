"""A connection to PostgreSQL that takes the statements of this program as `sqlite3` does.

They name their parameters `:name`, or leave a place `?` for each. Numbers come as they come from SQLite: truth as 0 or
1, a sum as a whole number.
"""

import re
import select
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, cast

import psycopg
from psycopg import Notify
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.types.numeric import Int8Dumper

from sync.central.store.pg_errors import translated

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)|(\?)|(%)")
_OPEN = (TransactionStatus.ACTIVE, TransactionStatus.INTRANS, TransactionStatus.INERROR)


class PgRow(tuple[Any, ...]):
    """A row, by place and by name."""

    __slots__ = ()
    names: ClassVar[tuple[str, ...]] = ()
    places: ClassVar[Mapping[str, int]] = {}

    def __getitem__(self, key: Any, /) -> Any:
        """The value of a column. Raises IndexError for a column that is not there, as sqlite3.Row does."""
        return tuple.__getitem__(self, self.places.get(key, len(self)) if isinstance(key, str) else key)

    def keys(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.names


Driver = psycopg.Connection[PgRow]


class PgConnection:
    """One connection, made by `connect` and made again by `renew` where the server has ended it."""

    def __init__(self, connect: Callable[[], Driver]) -> None:
        """Raises sqlite3.OperationalError where the server is not reached."""
        self._connect = connect
        self._is_doubtful = False  # whether the driver and the server differ on what is prepared
        self._driver = self._connected()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open. It is not where the connection is lost."""
        return self._driver.pgconn.transaction_status in _OPEN

    @property
    def can_commit(self) -> bool:
        """Whether a transaction is open, and no error in it has undone it."""
        return self._driver.pgconn.transaction_status == TransactionStatus.INTRANS

    def execute(self, sql: str, parameters: Any = (), /) -> "psycopg.Cursor[PgRow]":
        """Runs a statement. Raises sqlite3.Error."""
        try:
            # Without parameters the driver takes a statement as it stands.
            return self._driver.execute(*((_spelled(sql), parameters) if parameters else (sql.encode(),)))
        except psycopg.Error as error:
            raise translated(error) from None  # its own text may quote a row

    def together(self, sql: str) -> "PgRow | None":
        """Runs several statements in one message. Returns the first row of the last one. Raises sqlite3.Error."""
        try:
            cursor = self._driver.execute(sql.encode(), prepare=False)
            while cursor.nextset():
                pass
            return cursor.fetchone() if cursor.description else None
        except psycopg.Error as error:
            raise translated(error) from None

    def at_once(self, statements: Sequence[tuple[str, Mapping[str, object]]]) -> "list[psycopg.Cursor[PgRow]]":
        """Runs statements with their parameters in one message. Returns what each has given.

        None runs after one that fails. Raises sqlite3.Error.
        """
        done: list[psycopg.Cursor[PgRow]] = []
        failed: psycopg.Error | None = None
        try:
            with self._driver.pipeline() as pipeline:
                try:
                    done += [self._driver.execute(_spelled(sql), row) for sql, row in statements]
                    pipeline.sync()
                except psycopg.Error as error:  # outside of the pipeline it would be logged too
                    failed = error
        except psycopg.Error as error:
            failed = failed or error
        if failed is not None:
            # The driver takes a statement for prepared that the server has skipped after the one that failed.
            self._driver.prepare_threshold, self._is_doubtful = None, True
            raise translated(failed) from None
        return done

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> "psycopg.Cursor[PgRow]":
        """Runs a statement for each row of parameters. Raises sqlite3.Error."""
        cursor = self._driver.cursor()
        try:
            cursor.executemany(_spelled(sql), parameters)
        except psycopg.Error as error:
            raise translated(error) from None
        return cursor

    def rows_at_once(self, sql: str, width: int, parameters: Mapping[str, object], /) -> list[Sequence[Any]]:  # noqa: ARG002
        """The rows of a query, which the driver brings at once anyway. Raises sqlite3.Error."""
        return cast("list[Sequence[Any]]", self.execute(sql, parameters).fetchall())

    def renew(self) -> None:
        """Connects again where the connection has ended, or is doubtful. Raises sqlite3.OperationalError.

        Called between two transactions alone: the rest of one that was lost must not go to another connection.
        """
        if self._is_doubtful or self._has_ended():
            self._driver.close()
            self._driver = self._connected()
            self._is_doubtful = False

    @property
    def is_pooled(self) -> bool:
        """Whether the connection goes through a pooler, which may give each transaction another session."""
        return not self._is_doubtful and self._driver.prepare_threshold is None

    @property
    def socket(self) -> int:
        """The file of the connection, for a thread that waits for notifications. Raises sqlite3.OperationalError."""
        try:
            return self._driver.pgconn.socket
        except psycopg.Error as error:
            raise translated(error) from None

    def hear(self, take: Callable[[Notify], None]) -> None:
        """Calls `take` with each notification that comes on the connection as it is now, in the thread that reads."""
        self._driver.add_notify_handler(take)

    def take_notifications(self) -> None:
        """Reads what the server has sent unasked. Raises sqlite3.OperationalError where the connection is lost."""
        link = self._driver.pgconn
        try:
            link.consume_input()
            if link.status != ConnStatus.OK:
                raise psycopg.OperationalError("the connection is lost")
            while (found := link.notifies()) is not None:
                link.notify_handler(found) if link.notify_handler else None
        except psycopg.Error as error:
            raise translated(error) from None

    def close(self) -> None:
        """Ends the connection."""
        self._driver.close()

    def _connected(self) -> Driver:
        try:
            return self._connect()
        except psycopg.Error as error:
            raise translated(error) from None

    def _has_ended(self) -> bool:
        """Whether the server has ended the connection. It says so unasked, so a round trip is made only if it spoke."""
        link = self._driver.pgconn
        if link.status != ConnStatus.OK:
            return True
        poll = select.poll()
        poll.register(link.socket, select.POLLIN)
        if not poll.poll(0):
            return False
        try:
            self._driver.execute("select 1")
        except psycopg.Error:
            return True
        return False


def connect(url: str, options: Mapping[str, str], settings: Mapping[str, str]) -> Driver:
    """A connection with settings of its session, which begins and ends transactions by statements alone.

    `options` are those of libpq; what the URL says of them wins. Raises psycopg.Error.
    """
    named = _named(url)
    made = psycopg.connect(**(dict(options) | named), autocommit=True, row_factory=_row_factory)
    made.adapters.register_dumper(int, Int8Dumper)  # one type for each number, so that a statement is prepared once
    made.adapters.register_dumper(bool, _BoolAsNumber)
    made.adapters.register_loader("bool", _NumberOfBool)
    made.adapters.register_loader("numeric", _NumberOfSum)
    try:
        # One way there and back for all of them. A pooler names itself, and gives a session's settings to others.
        found = made.execute(_SET, (made.info.backend_pid, list(settings), list(settings.values()))).fetchone()
        if found is not None and found["is_pooled"]:
            made.prepare_threshold = None  # the next session knows no statement that this one has prepared
    except BaseException:
        made.close()
        raise
    return made


def _named(url: str) -> dict[str, Any]:
    """The parts of a URL by their names. Raises psycopg.OperationalError."""
    try:
        return psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise psycopg.OperationalError("the URL is not one that libpq can read") from None  # its text quotes the URL


_SET = """select is_pooled, set_config(name, value, is_pooled)
    from (select pg_backend_pid() <> %s::bigint as is_pooled) pooler
    cross join unnest(%s::text[], %s::text[]) as settings (name, value)"""


@lru_cache(maxsize=2048)
def _spelled(sql: str) -> bytes:
    """A statement as the driver takes it with parameters."""
    return _PARAMETER.sub(lambda found: f"%({found[1]})s" if found[1] else "%s" if found[2] else "%%", sql).encode()


def _row_factory(cursor: "psycopg.Cursor[Any]") -> Callable[[Sequence[Any]], PgRow]:
    return _row_class(tuple(column.name for column in cursor.description or ()))


@lru_cache(maxsize=512)
def _row_class(names: tuple[str, ...]) -> type[PgRow]:
    # Of two columns with one name, the first counts.
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    return type("PgRow", (PgRow,), {"__slots__": (), "names": names, "places": places})


class _BoolAsNumber(Int8Dumper):
    def dump(self, obj: Any) -> Buffer | None:
        return super().dump(int(obj))


class _NumberOfBool(Loader):
    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


class _NumberOfSum(Loader):
    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return float(text) if b"." in text else int(text)
