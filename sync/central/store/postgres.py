"""The store on PostgreSQL: one connection that writes, a few that read, and a session with the other services.

Every commit is on the server's disk before its news. Everything that is particular to PostgreSQL is in this file and
in those whose names begin with `pg_`.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from sync.central.store.errors import InUse, StoreError, Trouble, trouble_of
from sync.central.store.migrations import Dialect, is_newest, migrate
from sync.central.store.news import CommonChanged, News
from sync.central.store.pg_commits import PgCommits
from sync.central.store.pg_connection import Driver, PgConnection, connect
from sync.central.store.pg_news import new_sender, read_notification
from sync.central.store.pg_programs import dump, read_through
from sync.central.store.pg_schemas import OURS, has_tables, is_amid_restore
from sync.central.store.pg_session import PgSession
from sync.central.store.pg_writer import SYNCHRONOUS, PgWriter
from sync.central.store.place import Place, place_of
from sync.central.store.share import Share
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.database_file import Hold, hold

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

# A table that stays locked ends one transaction after the other. Those who wait hear of it at about the same time.
_TURN_S = 10.0
# Of the connection that writes: all others wait for its transaction, and a process that is stopped would never end it.
_OF_THE_WRITER = {"idle_in_transaction_session_timeout": "30s"}
# A backup looks for as long as its program takes.
_OF_A_READER = {"default_transaction_read_only": "on", "idle_in_transaction_session_timeout": "0"}

POSTGRESQL = Dialect("begin", str)
Found = TypeVar("Found")


class PostgresStore:
    """One database on a server, as one service has it open."""

    damage: str | None = None  # the server itself checks what it reads

    def __init__(
        self,
        url: str,
        state_dir: Path | None = None,
        *,
        direct: str | None = None,
        news: News | None = None,
        create: bool = True,
        share: Share = Share.HOST,
    ) -> None:
        """Connects, takes what `share` demands, and brings the schema up to date.

        `direct` is the URL of the same database past a pooler. Without `create` the centre's tables must be there.
        Raises StoreError where the database cannot be used, or InUse where another process has what is demanded.
        """
        self.place = place_of(url, state_dir, direct)
        self.news = news or News()
        self._readers: list[PgConnection] = []
        self._is_outdated = False
        self._is_full = False
        with contextlib.ExitStack() as opened:
            if share is Share.HOST:
                opened.callback(_hold_state(self.place).release)
            self._session = PgSession(self.place, lambda: _connect(self.place.direct, {}), share)
            opened.callback(self._session.close)
            try:
                connection = PgConnection(lambda: _connect_writer(self.place))
                opened.callback(connection.close)
                self._prepare(connection, create=create, is_alone=share is Share.ALONE)
                self._writer = PgWriter(connection, new_sender(), is_alone=share is Share.ALONE)
                self._session.listen(self._hear, self._miss)
            except sqlite3.Error as error:
                raise StoreError(f"{self.place}: {error}") from error
            self._opened = opened.pop_all()
        self._commits = PgCommits(self._writer, _TURN_S)

    @contextlib.contextmanager
    def write(self, *, brief: bool = False, beside: bool = False) -> Iterator[WriteTransaction]:
        """One transaction, as `Store.write()` says."""
        try:
            with self._commits.beside() if beside else self._commits.transaction(brief=brief) as transaction:
                yield transaction
        except sqlite3.OperationalError as error:
            self._is_full |= trouble_of(error) is Trouble.DISK_FULL
            raise
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
            dump(self.place.direct, file, snapshot, OURS)
            read_through(file)
            return look(db)

    def free_bytes(self) -> int | None:
        """None, since the disk is the server's; 0 from a write that found no room there until there is some."""
        self._is_full = self._is_full and not self._has_room()
        return 0 if self._is_full else None

    def check_in_background(self) -> None:
        """None: the server itself checks what it reads."""
        return

    def tend(self) -> bool:
        """Returns whether the program has to end, since the next start reads again what it cannot."""
        return self._is_outdated

    def heed(self, reread: Callable[[ReadTransaction], bool], set_back: Callable[[WriteTransaction], None]) -> None:
        """Has functions called within a transaction, as `Store.heed()` says."""

        def outdate(db: ReadTransaction) -> None:
            self._is_outdated |= reread(db)

        self._writer.heed(outdate, set_back)

    def leads(self) -> bool:
        """Whether this service does the background work of all services of the database."""
        return self._session.leads()

    def has_other_hosts(self) -> bool:
        """Whether another host has the database open at this moment, for a host. Raises sqlite3.Error."""
        return self._session.has_other_hosts()

    def server_ms(self) -> int:
        """The time of the server (UTC ms). Raises sqlite3.Error."""
        with self.glance() as db:
            return int(db.value("select (extract(epoch from clock_timestamp()) * 1000)::bigint"))

    def close(self) -> None:
        """Ends the connections, and with them what the service holds."""
        self._session.close()
        with self._commits.alone():
            while self._readers:
                self._readers.pop().close()
            self._opened.close()

    def _prepare(self, connection: PgConnection, *, create: bool, is_alone: bool) -> None:
        """Looks at the database, and brings its schema up to date. Raises StoreError, InUse and sqlite3.Error."""
        if self._session.shares_with(connection):
            raise StoreError(_THROUGH_POOLER.format(place=self.place))
        _demand_form(connection, self.place)
        _demand_whole_restore(connection, self.place)
        if not create:
            _demand_tables(connection, self.place)
        if has_tables(connection) and is_newest(connection, self.place):
            return
        if is_alone:
            migrate(connection, self.place, POSTGRESQL)
            return
        # Services of another version would not know the new tables, and two would make them at the same time.
        if not self._session.become_alone():
            raise InUse(f"{self.place}: its tables are of an older version, and a service is using them")
        migrate(connection, self.place, POSTGRESQL)
        self._session.be_with_others()

    def _has_room(self) -> bool:
        """Whether a table can grow. On a full disk a small change still finds room within a table."""
        try:
            with self.write() as db:
                db.execute("create temporary table room on commit drop as select 1")
        except sqlite3.OperationalError as error:
            return trouble_of(error) is not Trouble.DISK_FULL
        return True

    def _hear(self, text: str) -> None:
        """Takes the news of another service."""
        notification = read_notification(text)
        if notification is None or notification.sender == self._writer.sender:
            return
        items = notification.news()
        if not items or CommonChanged() in items:
            self._reread()
        if items:
            self.news.announce(items)
        else:
            self.news.announce_missed(notification.up_to)

    def _miss(self) -> None:
        """The news of some time were missed: anything may have changed."""
        self._reread()
        with contextlib.suppress(sqlite3.Error), self.glance() as db:
            self.news.announce_missed(db.latest_change())

    def _reread(self) -> None:
        """Reads again what another service may have changed, before somebody reads with what is known of old."""
        with contextlib.suppress(sqlite3.Error), self.write(brief=True):
            pass

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
        return _connect(self.place.url, _OF_A_READER)


def hold_database(place: Place) -> PgSession:
    """The session of a command that has the database alone. The caller closes it.

    Raises InUse, or StoreError where the database cannot be reached.
    """
    return PgSession(place, lambda: _connect(place.direct, {}), Share.ALONE)


def connect_to(place: Place) -> PgConnection:
    """A connection past a pooler, for a command. Raises sqlite3.Error."""
    return PgConnection(lambda: _connect(place.direct, {}))


def _hold_state(place: Place) -> Hold:
    """Keeps other services out of a state directory. Raises InUse and StoreError."""
    try:
        held = hold(place.state)
    except OSError as error:
        raise StoreError(f"{place.state.parent}: {error.strerror}") from error
    if held is None:
        raise InUse(f"{place}: another service with this state directory is using it")
    return held


def _connect_writer(place: Place) -> Driver:
    """Raises psycopg.Error."""
    made = _connect(place.url, _OF_THE_WRITER)
    try:
        if made.prepare_threshold is not None:  # a pooled one does so in each transaction
            made.execute(SYNCHRONOUS.format(is_local="false").encode())
    except BaseException:
        made.close()
        raise
    return made


def _connect(url: str, more: Mapping[str, str]) -> Driver:
    return connect(url, _KEEPALIVES, {**_SETTINGS, **more})


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


_THROUGH_POOLER = (
    "{place}: a pooler there gives each transaction another session, and the news of other services would not come"
    " through. Name the server's own address too: --direct-database"
)
_OTHER_FORM = (
    "{place}: the database sorts text by a language, or is not in UTF-8. Make another one:"
    " createdb --template=template0 --locale=C --encoding=UTF8 NAME"
)
