"""The store on PostgreSQL: one service a database, one connection that writes, and a few that read.

Every commit is on the server's disk before its news. Everything that is particular to PostgreSQL is in this file, in
`pg_connection.py` and in `pg_errors.py`.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from sync.central.store.errors import InUse, StoreError
from sync.central.store.migrations import Dialect, migrate
from sync.central.store.news import News
from sync.central.store.pg_connection import Driver, PgConnection, connect
from sync.central.store.pg_errors import operational
from sync.central.store.pg_programs import dump, read_through
from sync.central.store.pg_schemas import REPLACED, has_tables, is_amid_restore
from sync.central.store.place import Place, place_of
from sync.central.store.shared_commits import SharedCommits
from sync.central.store.transactions import ReadTransaction, WriteTransaction

# The lock that one service holds as long as it is connected.
_LOCK = 0x6E66632D6B696F73  # "nfc-kios"

# Of each connection. A server that is cut off is noticed within half a minute at both ends; else its session would hold
# the lock for two hours. A table that an administrator has locked ends a transaction after five seconds.
_SETTINGS = {
    "application_name": "kiosk-central",
    "client_encoding": "UTF8",
    "lock_timeout": "5s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",  # ms, where what was sent is not acknowledged: no keepalive goes out then
}
_KEEPALIVES = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
# Whether text is sorted by its bytes, as SQLite does, and not as a language has it.
_SORTS_BYTES = "'B' < 'a' and 'a' < 'ab' and 'Z' < '_' and 'a-b' < 'ab' and 'z' < 'é' and 'é' < '가'"

POSTGRESQL = Dialect("begin", str)
Found = TypeVar("Found")


class PostgresStore:
    """One database on a server."""

    damage: str | None = None  # the server itself checks what it reads

    def __init__(
        self, url: str, state_dir: Path | None = None, *, news: News | None = None, create: bool = True
    ) -> None:
        """Connects, locks the database against other services, and brings its schema up to date.

        Without `create` the centre's tables must be there. Raises StoreError where the database cannot be used, or
        InUse where another service has it.
        """
        self.place = place_of(url, state_dir)
        self.news = news or News()
        self._readers: list[PgConnection] = []
        self._writer = hold_database(self.place)
        try:
            _demand_form(self._writer, self.place)
            _demand_whole_restore(self._writer, self.place)
            if not create:
                _demand_tables(self._writer, self.place)
            migrate(self._writer, self.place, POSTGRESQL)
        except sqlite3.Error as error:
            release_database(self._writer)
            raise StoreError(f"{self.place}: {error}") from error
        except StoreError:
            release_database(self._writer)
            raise
        self._commits = SharedCommits(PgWriter(self._writer))

    @contextlib.contextmanager
    def write(self, *, brief: bool = False) -> Iterator[WriteTransaction]:
        """One transaction, as `Store.write()` says."""
        with self._commits.transaction(brief=brief) as transaction:
            yield transaction
        if transaction.news:
            self.news.announce(transaction.news)

    @contextlib.contextmanager
    def read(self) -> Iterator[ReadTransaction]:
        """A view of the state at one moment."""
        with self._reader() as connection:
            connection.execute("begin isolation level repeatable read read only")
            yield ReadTransaction(connection)

    @contextlib.contextmanager
    def glance(self) -> Iterator[ReadTransaction]:
        """A view for one statement."""
        with self._reader() as connection:
            yield ReadTransaction(connection)

    def probe(self) -> None:
        """Reads one row. Raises sqlite3.Error where the database cannot be read."""
        with self.read() as db:
            db.latest_change()

    def copy_to(self, file: Path, look: Callable[[ReadTransaction], Found]) -> Found:
        """Has `pg_dump` write one moment's state into a file, as `Store.copy_to()` says."""
        with self.read() as db:
            snapshot = str(db.value("select pg_export_snapshot()"))
            dump(self.place.url, file, snapshot, f"{REPLACED}*")
            read_through(file)
            return look(db)

    def free_bytes(self) -> None:
        """None: the disk is the server's."""
        return

    def check_in_background(self) -> None:
        """None: the server itself checks what it reads."""
        return

    def tend(self) -> bool:
        """Returns False: there is no file of ours to look after."""
        return False

    def close(self) -> None:
        """Ends the connections, and with them the lock."""
        with self._commits.alone():
            while self._readers:
                self._readers.pop().close()
            release_database(self._writer)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[PgConnection]:
        """A connection that nobody else reads from meanwhile."""
        connection = self._take_reader()
        try:
            yield connection
        finally:
            with contextlib.suppress(sqlite3.Error):  # one that is lost is renewed at its next use
                if connection.in_transaction:
                    connection.execute("rollback")
            self._readers.append(connection)

    def _take_reader(self) -> PgConnection:
        # list.pop is atomic, so readers need no lock.
        try:
            connection = self._readers.pop()
        except IndexError:
            return PgConnection(self._connect_reader)
        try:
            connection.renew()
        except sqlite3.Error:
            self._readers.append(connection)
            raise
        return connection

    def _connect_reader(self) -> Driver:
        return _connect(self.place, {"default_transaction_read_only": "on"})


def hold_database(place: Place) -> PgConnection:
    """The connection that writes, with the lock that keeps other services out.

    The caller releases it. Raises InUse, or StoreError where the database cannot be reached.
    """
    try:
        return PgConnection(lambda: _connect_writer(place))
    except sqlite3.Error as error:
        raise StoreError(f"{place}: {error}") from error


def release_database(connection: PgConnection) -> None:
    """Ends the connection that writes. The lock is free then, and not only when the server notices."""
    with contextlib.suppress(sqlite3.Error):
        connection.execute("select pg_advisory_unlock_all()")
    connection.close()


def _connect_writer(place: Place) -> Driver:
    """Raises InUse where another service has the lock, and psycopg.Error."""
    made = _connect(place, {})
    try:
        # A commit waits for the disk, whatever the server's own setting is. More than that may be asked there.
        made.execute(
            "select set_config('synchronous_commit', case current_setting('synchronous_commit')"
            " when 'remote_apply' then 'remote_apply' else 'on' end, false)"
        )
        _take_lock(made, place)
    except BaseException:
        made.close()
        raise
    return made


def _take_lock(connection: Driver, place: Place) -> None:
    held = connection.execute("select pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
    if held is None or not held[0]:
        raise InUse(f"{place}: another service is using it")


def _connect(place: Place, more: Mapping[str, str]) -> Driver:
    return connect(place.url, _KEEPALIVES, {**_SETTINGS, **more})


def _demand_form(connection: PgConnection, place: Place) -> None:
    """Raises StoreError where the database sorts text otherwise than SQLite does, or has another encoding."""
    encoding = connection.execute("show server_encoding").fetchone()
    # In another encoding the signs of the next query may not even exist.
    is_utf8 = encoding is not None and encoding[0] == "UTF8"
    order = connection.execute(f"select {_SORTS_BYTES}").fetchone() if is_utf8 else None
    if order is None or not order[0]:
        raise StoreError(_OTHER_FORM.format(place=place))


def _demand_whole_restore(connection: PgConnection, place: Place) -> None:
    """Raises StoreError where a restore was interrupted: an empty centre in its place would hide that."""
    if is_amid_restore(connection):
        raise StoreError(f"{place}: a restore was interrupted: repeat it by kiosk-central restore")


def _demand_tables(connection: PgConnection, place: Place) -> None:
    """Raises StoreError where the database has no table of a centre."""
    if not has_tables(connection):
        raise StoreError(
            f"{place}: there is no centre in this database. Correct --database, or make one:"
            " kiosk-central import, or kiosk-central run --create"
        )


_OTHER_FORM = (
    "{place}: the database sorts text by a language, or is not in UTF-8. Make another one:"
    " createdb --template=template0 --locale=C --encoding=UTF8 NAME"
)


class PgWriter:
    """The connection that writes."""

    def __init__(self, connection: PgConnection) -> None:
        self.connection = connection

    def begin(self) -> None:
        """Begins a transaction, on a new connection where the server has ended the last one. Raises sqlite3.Error."""
        try:
            self.connection.renew()
        except InUse as error:
            raise operational(str(error), sqlite3.SQLITE_CANTOPEN) from error
        self.connection.execute("begin")

    def commit(self) -> None:
        """Makes the transaction durable. Raises sqlite3.Error."""
        # After an error that nobody heard, the server answers a commit by a rollback, and calls that no error.
        if not self.connection.can_commit:
            raise operational("the transaction was rolled back")
        self.connection.execute("commit")

    def fail(self, error: BaseException) -> None:
        """Does nothing: the server keeps its own log."""

    def rest(self) -> None:
        """Does nothing: the server looks after itself."""
