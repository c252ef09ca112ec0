"""The kiosk's SQLite file: one connection, one writer at a time, and every commit on the disk before it is announced.

sqlite-utils makes the schema; the path of a tap is plain SQL. WAL with `synchronous=FULL` survives a power cut.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from kiosk.store.schema import migrate
from sync.database_check import BackgroundCheck, demand_sound, note_clean_stop, take_clean_stop
from sync.database_file import connect, empty_log, hold, renew_log
from sync.fair_lock import FairLock
from sync.write_ahead_log import WriteAheadLog


class StoreError(Exception):
    """The file cannot be used as the kiosk's store. The message says why, for the person at the command line."""


class Store:
    """The open database. Every access goes through `write()` or `read()`, from any thread."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file, and brings its schema up to date. Raises StoreError.

        The whole file is checked, unless it was closed in good order: then `check_in_background()` may do it.
        """
        self.path = path
        self._lock = FairLock()
        self._closed = False
        self._check = BackgroundCheck(path)
        self._lock_file = _lock_out_others(path)
        try:
            self._is_checked = not take_clean_stop(path)
            self._connection = _open(path, is_to_check=self._is_checked)
            self.log = WriteAheadLog(self._connection)
        except (sqlite3.Error, OSError, ValueError) as error:
            os.close(self._lock_file)
            raise StoreError(f"{path}: {error}") from error

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Opens a transaction. It is durable when the context ends; an exception inside undoes all of it."""
        with self._lock:
            self.log.begin()
            try:
                self._connection.execute("begin immediate")
                yield self._connection
                self._connection.execute("commit")
            except BaseException as error:
                self.log.fail(error)
                # A commit that failed for lack of space may have rolled back already.
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise
            self.log.commit()

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Holds the store: no other thread reads or writes it until the context ends."""
        with self._lock:
            yield self._connection

    def check_in_background(self) -> BackgroundCheck | None:
        """Checks the whole file beside its use, and returns the check; None where the opening has checked the file.

        Called at most once.
        """
        if self._is_checked:
            return None
        self._check.start()
        return self._check

    @property
    def damage(self) -> str | None:
        """The damage that the check in the background has found, in words; None where it has found none."""
        return self._check.damage

    def probe(self) -> None:
        """Tests whether the disk takes writes, by a write. Raises sqlite3.Error where it does not."""
        with self.write() as db:
            db.execute("insert into probe values (1, 1) on conflict (id) do update set tries = tries + 1")

    def erase_traces(self) -> None:
        """Writes the file again without what was deleted, and empties the log. Waits for readers of the file.

        `secure_delete` clears deleted rows; a page that was rebuilt may still hold old bytes in its free space. Raises
        sqlite3.Error; it may be called again then.
        """
        with self._lock:
            self._connection.execute("vacuum")
            if not empty_log(self._connection):
                raise sqlite3.OperationalError("a reader keeps the log")

    def close(self) -> None:
        """Writes the log back into the file and closes the file. May be called twice."""
        self._check.stop()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("pragma wal_checkpoint(truncate)")
            self._connection.close()
            if self.log.is_sound and not self.damage:
                note_clean_stop(self.path)
            os.close(self._lock_file)


@contextlib.contextmanager
def peek(path: Path) -> Iterator[sqlite3.Connection]:
    """Opens a connection that only reads, and sees one moment. For commands while no daemon runs, and for long reads
    beside the daemon's own connection. Raises StoreError."""
    if not path.exists():
        raise StoreError(f"{path}: no such database; has the kiosk run yet?")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("begin")
        connection.execute("select 1 from identity limit 0")
        yield connection
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    finally:
        connection.close()


def _lock_out_others(path: Path) -> int:
    """Refuses a second daemon, which would push under the same epoch. Returns the descriptor of the lock file."""
    try:
        lock_file = hold(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    if lock_file is None:
        raise StoreError(f"{path}: another kiosk daemon is using it")
    return lock_file


def _open(path: Path, *, is_to_check: bool) -> sqlite3.Connection:
    is_new = not path.exists()
    renew_log(path)
    connection = connect(path)
    try:
        if is_new:
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
        if is_to_check:
            demand_sound(connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection
