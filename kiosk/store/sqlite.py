"""The kiosk's SQLite file: one connection, one writer at a time, every commit on disk before anyone hears of it.

sqlite-utils makes the schema; the path of a tap is plain SQL. WAL with `synchronous=FULL` survives a power cut.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlite_utils import Database

from kiosk.store.fair_lock import FairLock
from kiosk.store.schema import MIGRATIONS, SCHEMA_VERSION
from sync.database_file import connect, empty_log, hold, is_failed_sync, renew_log


class StoreError(Exception):
    """The file cannot be used as the kiosk's store; the message says why, for the person at the command line."""


class Store:
    """One open database. Everything goes through `write()` or `read()`, from any thread."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file, brings its schema up to date and checks it. Raises StoreError."""
        self.path = path
        self._lock = FairLock()
        self._closed = False
        self._sync_failed = False
        self._held = _hold(path)
        try:
            self._connection = _open(path)
        except (sqlite3.Error, OSError, ValueError) as error:
            os.close(self._held)
            raise StoreError(f"{path}: {error}") from error

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction. It is durable when the context ends; an exception inside undoes all of it."""
        with self._lock:
            if self._sync_failed:
                self._sync_failed = not empty_log(self._connection)
            try:
                self._connection.execute("begin immediate")
                yield self._connection
                self._connection.execute("commit")
            except BaseException as error:
                self._sync_failed |= is_failed_sync(error)
                # A commit that failed for want of space may have rolled back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A look that no writer changes meanwhile."""
        with self._lock:
            yield self._connection

    def probe(self) -> None:
        """Finds out whether a commit reaches the disk. Raises sqlite3.Error where it does not."""
        with self.write() as db:
            db.execute("insert into probe values (1, 1) on conflict (id) do update set tries = tries + 1")

    def close(self) -> None:
        """Writes the log back into the file and closes it. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("pragma wal_checkpoint(truncate)")
            self._connection.close()
            os.close(self._held)


@contextlib.contextmanager
def peek(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, for commands while no daemon runs. Raises StoreError."""
    if not path.exists():
        raise StoreError(f"{path}: no such database; has the kiosk run yet?")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("select 1 from identity limit 0")
        yield connection
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    finally:
        connection.close()


def _hold(path: Path) -> int:
    """Two daemons on one store would be two writers and two speakers of one epoch: the second is refused."""
    try:
        held = hold(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    if held is None:
        raise StoreError(f"{path}: another kiosk daemon is using it")
    return held


def _open(path: Path) -> sqlite3.Connection:
    fresh = not path.exists()
    renew_log(path)
    connection = connect(path)
    try:
        if fresh:
            path.chmod(0o600)
        connection.row_factory = sqlite3.Row
        for pragma in (
            "journal_mode=wal",
            "synchronous=full",
            "foreign_keys=on",
            "busy_timeout=5000",
            "secure_delete=on",
            "temp_store=memory",
        ):
            connection.execute(f"pragma {pragma}")
        _check(connection)
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    fault = connection.execute("pragma quick_check(1)").fetchone()[0]
    if fault != "ok":
        raise sqlite3.DatabaseError(f"the database is damaged: {fault}")


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("pragma user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"written by a newer version of this program (schema {version})")
    if version < SCHEMA_VERSION:
        MIGRATIONS.apply(Database(connection))
        connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
