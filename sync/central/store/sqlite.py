"""The centre's database: one writer, readers that only read, every commit on disk before anyone hears of it.

SQL is written once, for SQLite and PostgreSQL: `:name` parameters, rows read by column name, `on conflict … do update`,
`returning`, and nothing that only one of the two knows. SQLite runs in WAL with `synchronous=FULL`.
"""

import contextlib
import logging
import os
import re
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sync.central.store.news import News, NewsItem, PatientChanged, VerdictRevised
from sync.central.store.schema import MIGRATIONS, SCHEMA_VERSION
from sync.database_file import connect, empty_log, hold, is_failed_sync, renew_log, set_aside_stray_log

log = logging.getLogger(__name__)

Parameters = Mapping[str, Any]


class StoreError(Exception):
    """The database cannot be used; the message says why, for the person at the command line."""


class InUse(StoreError):
    """Another process has the database open."""


class ReadTransaction:
    """A consistent look at the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        # The hot path: one attribute look-up and no wrapper around the driver.
        self.execute = connection.execute
        self.executemany = connection.executemany

    def row(self, sql: str, **parameters: object) -> sqlite3.Row | None:
        """The first row, or None."""
        found: sqlite3.Row | None = self.execute(sql, parameters).fetchone()
        return found

    def value(self, sql: str, **parameters: object) -> Any:
        """The first column of the only row, of a query that always has one."""
        return self.execute(sql, parameters).fetchone()[0]

    def rows(self, sql: str, **parameters: object) -> list[sqlite3.Row]:
        """Every row."""
        return self.execute(sql, parameters).fetchall()

    def latest_change(self) -> int:
        """The last change number that was taken."""
        return int(self.value("select value from counters where name = 'change'"))

    def counter(self, name: str) -> int | None:
        """What was noted under a name; None where nothing was."""
        row = self.row("select value from counters where name = :name", name=name)
        return int(row["value"]) if row else None


class WriteTransaction(ReadTransaction):
    """One transaction. What it adds to `news` is announced once it is committed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._connection = connection
        self.news: list[NewsItem] = []

    def next_change(self) -> int:
        """A change number. Its row stays locked until the commit, so no higher number is visible before a lower one."""
        return int(self.value("update counters set value = value + 1 where name = 'change' returning value"))

    def note_counter(self, name: str, value: int) -> None:
        """Notes a number under a name, in the place of the last one."""
        self.execute(
            "insert into counters values (:name, :value) on conflict (name) do update set value = excluded.value",
            {"name": name, "value": value},
        )

    def announce(self, number: int, patient_id: str, action: str | None = None, action_id: str | None = None) -> None:
        """Adds a change of a patient's state to the news."""
        self.news.append(PatientChanged(number, patient_id, action, action_id))

    def announce_verdict(self, number: int) -> None:
        """Adds to the news that a verdict was given anew under this change number."""
        self.news.append(VerdictRevised(number))

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction that is undone alone where it raises; what it added to the news goes too."""
        kept = len(self.news)
        self.execute("savepoint part")
        try:
            yield
        except BaseException:
            # A disk that is full undoes the whole transaction by itself; its error is the one to be heard.
            if self._connection.in_transaction:
                self.execute("rollback to savepoint part")
                self.execute("release savepoint part")
            del self.news[kept:]
            raise
        self.execute("release savepoint part")


class Store:
    """One open database. Everything goes through `write()` or `read()`, from any thread."""

    def __init__(self, url: str, news: News | None = None) -> None:
        """Opens or makes the database, holds it against others, and brings its schema up to date. Raises StoreError."""
        self.path = database_path(url)
        self.news = news or News()
        self._lock = threading.RLock()
        self._readers: list[sqlite3.Connection] = []
        self._sync_failed = False
        self._held = hold_database(self.path)
        try:
            self._writer = _open(self.path)
        except (sqlite3.Error, OSError, ValueError) as error:  # what SQLite says of garbage may be no UTF-8
            os.close(self._held)
            raise StoreError(f"{self.path}: {error}") from error
        except StoreError:
            os.close(self._held)
            raise

    @contextlib.contextmanager
    def write(self) -> Iterator[WriteTransaction]:
        """One transaction. It is durable when the context ends; an exception inside undoes all of it."""
        with self._lock:
            if self._sync_failed:
                self._sync_failed = not empty_log(self._writer)
            self._writer.execute("begin immediate")
            try:
                transaction = WriteTransaction(self._writer)
                yield transaction
                self._writer.execute("commit")
            except BaseException as error:
                self._sync_failed |= is_failed_sync(error)
                # A commit that failed for want of space may have rolled back by itself.
                if self._writer.in_transaction:
                    self._writer.execute("rollback")
                raise
        if transaction.news:
            self.news.announce(transaction.news)

    @contextlib.contextmanager
    def read(self) -> Iterator[ReadTransaction]:
        """A look at one moment's state, which waits for no writer and makes none wait."""
        connection = self._take_reader()
        connection.execute("begin")
        try:
            yield ReadTransaction(connection)
        finally:
            connection.execute("rollback")
            self._readers.append(connection)

    def probe(self) -> None:
        """Reads one row. Raises sqlite3.Error where the database cannot be read."""
        with self.read() as db:
            db.latest_change()

    def copy_to(self, file: Path) -> None:
        """Writes one moment's state into another file, whole, while others read and write. Raises sqlite3.Error."""
        source, target = _connect(self.path), sqlite3.connect(file)
        try:
            source.backup(target)
            target.execute("pragma journal_mode=delete")  # one file, that a copy or a cable can carry
        finally:
            target.close()
            source.close()

    def close(self) -> None:
        """Writes the log back into the file and closes it."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            while self._readers:
                self._readers.pop().close()
            self._writer.execute("pragma wal_checkpoint(truncate)")
        self._writer.close()
        os.close(self._held)

    def _take_reader(self) -> sqlite3.Connection:
        # list.pop is atomic, so there is no lock on the way of a reader.
        with contextlib.suppress(IndexError):
            return self._readers.pop()
        connection = _connect(self.path)
        connection.execute("pragma query_only=on")
        return connection


def any_of(name: str, values: Collection[str]) -> tuple[str, dict[str, str]]:
    """For `… in {names}`: the placeholders in brackets, and their parameters. The SQL holds no value itself."""
    parameters = {f"{name}{number}": value for number, value in enumerate(sorted(values))}
    return f"({', '.join(f':{each}' for each in parameters)})", parameters


def database_path(url: str) -> Path:
    """The file of a `sqlite:///relative` or `sqlite:////absolute` URL. Raises StoreError for any other."""
    match = re.fullmatch(r"sqlite:///([^?#]+)", url)
    if match is None:
        raise StoreError(f"{url[:200]}: not a database URL this version knows; give sqlite:///path/to/file.db")
    return Path(unquote(match[1]))


def hold_database(path: Path) -> int:
    """Holds a database against a second process, which would be a second writer. The descriptor, to be closed at the
    end. Raises InUse, or StoreError where nothing can lie there."""
    try:
        held = hold(path)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: {error}") from error
    if held is None:
        raise InUse(f"{path}: another process is using it")
    return held


def _connect(path: Path) -> sqlite3.Connection:
    connection = connect(path, cached_statements=512)
    connection.row_factory = sqlite3.Row
    for pragma in ("synchronous=full", "foreign_keys=on", "busy_timeout=5000", "temp_store=memory"):
        connection.execute(f"pragma {pragma}")
    return connection


def _open(path: Path) -> sqlite3.Connection:
    fresh = not path.exists()
    if stray := set_aside_stray_log(path):
        log.warning(
            "%s was put there without its log; the one that lay beside it is another's, and is %s now", path, stray
        )
    renew_log(path)
    connection = _connect(path)
    try:
        if fresh:
            path.chmod(0o600)
        connection.execute("pragma journal_mode=wal")
        _check(connection, path)
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    fault = connection.execute("pragma quick_check(1)").fetchone()[0]
    if fault != "ok":
        raise StoreError(f"{path}: the database is damaged: {fault}")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Brings the schema up to date, each version in a transaction of its own."""
    connection.execute("create table if not exists schema_version (version bigint primary key)")
    version = connection.execute("select coalesce(max(version), 0) as version from schema_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreError(f"{path}: made by a newer version (schema {version}, this one knows {SCHEMA_VERSION})")
    for migration in MIGRATIONS[version:]:
        connection.execute("begin immediate")
        try:
            for statement in migration.statements:
                connection.execute(_for_sqlite(statement))
            connection.execute("insert into schema_version values (?)", (migration.version,))
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise


def _for_sqlite(statement: str) -> str:
    """SQLite checks types only in strict tables, which spell their numbers `integer`."""
    if not statement.startswith(("create table", "alter table")):
        return statement
    spelt = re.sub(r"\bbigint\b", "integer", statement)
    return spelt + " strict, without rowid" if spelt.startswith("create") else spelt
