"""The kiosk's SQLite file: one connection, one writer at a time, and every commit on the disk before it is announced.

sqlite-utils makes the schema; the path of a tap is plain SQL. WAL with `synchronous=FULL` survives a power cut.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from kiosk.store.damage import discard_work, kept_files, recover
from kiosk.store.migrate import migrate
from kiosk.store.salvage import salvage
from sync.ballast import Ballast, is_full
from sync.clock import now_ms
from sync.database_check import (
    BackgroundCheck,
    demand_file_of_log,
    demand_sound,
    is_damage,
    note_clean_stop,
    take_clean_stop,
)
from sync.database_file import (
    Hold,
    connect,
    empty_log,
    hold,
    real_path,
    renew_log,
    set_aside_stray_log,
)
from sync.durable import erase
from sync.fair_lock import FairLock
from sync.open_files import FileLost, OpenFiles
from sync.rescue import discard_rescued, write_rescued
from sync.write_ahead_log import WriteAheadLog

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The file cannot be used as the kiosk's store. The message says why, for the person at the command line."""


class Store:
    """The open database. Every access goes through `write()` or `read()`, from any thread."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file, and brings its schema up to date. Raises StoreError.

        The whole file is checked, unless it was closed in good order: then `check_in_background()` may do it. A damaged
        file is kept beside the new one that takes what can be read of it.
        """
        self.path = real_path(path)
        self.ballast = Ballast(self.path)
        self._lock = FairLock()
        self._version = 0
        self._closed = self._met_damage = self._is_rescued = False
        self._check = BackgroundCheck(self.path)
        self._files = OpenFiles(self.path)
        try:
            self._hold = _lock_out_others(self.path)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from error
        try:
            self._is_checked = not take_clean_stop(self.path)
            self._connection = self._open_with_ballast()
            self._reading = _Reading(self, self._lock, self._connection)
            self._files.note()
            self.log = WriteAheadLog(self._connection, self._empty_log)
        except (sqlite3.Error, OSError, ValueError) as error:
            self._hold.release()
            raise StoreError(f"{path}: {error}") from error

    @property
    def version(self) -> int:
        """A number that changes whenever a transaction begins and ends: what was read before may have changed then."""
        return self._version

    @property
    def is_wanted(self) -> bool:
        """Whether a thread waits for the store."""
        return self._lock.is_wanted

    @contextlib.contextmanager
    def write(self, *, in_background: bool = False) -> Iterator[sqlite3.Connection]:
        """Opens a transaction. It is durable when the context ends; an exception inside undoes all of it.

        `in_background`: no person waits for it, so it copies the log back earlier than others have to. Raises FileLost
        where the file is no longer at its path. What was committed then may be there or not.
        """
        with self._lock, self._counted(), self._notes_trouble():
            self.log.begin()
            self._files.confirm()
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
            self._files.confirm()
            self.log.commit(in_background=in_background, is_wanted=self.is_wanted)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._version += 1
        try:
            yield
        finally:
            self._version += 1

    def read(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Holds the store: no other thread reads or writes it until the context ends."""
        return self._reading

    def note_trouble(self, error: BaseException | None) -> None:
        """Notes damage that an access has met, and gives a full disk the room of the ballast for the next one."""
        if not isinstance(error, sqlite3.Error):
            return
        self._met_damage |= is_damage(error)
        if is_full(error) and self.ballast.release():
            log.critical("%s: the disk is full; the ballast is released", self.path)

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

        `secure_delete` clears deleted rows; a page that was rebuilt may still hold old bytes in its free space. Damaged
        and stray files beside it go too. Raises sqlite3.Error or OSError; it may be called again then.
        """
        with self._lock:
            self._connection.execute("vacuum")
            if not self._empty_log():
                raise sqlite3.OperationalError("a reader keeps the log")
            for kept in kept_files(self.path):
                erase(kept)

    def tend(self) -> bool:
        """Looks after the file and its ballast. Returns whether the program has to end, and the next start mends it.

        Where the file is no longer at its path, what is still open is written there first. Raises sqlite3.Error,
        OSError or StoreError where that fails: it may be called again then.
        """
        if self._met_damage or self.rescue():
            return True
        self.ballast.tend()
        self._shorten_log()
        return False

    def rescue(self) -> bool:
        """Writes what is still open of a lost file to its path. Returns whether there was, or had been, need to.

        The store takes nothing more then. What has taken the file's place is kept beside it.
        """
        with self._lock:
            if self._closed or self._is_rescued:
                return self._is_rescued
            try:
                self._files.confirm()
            except FileLost as error:
                log.critical("%s", error)
                self._write_rescued()
            return self._is_rescued

    def close(self) -> None:
        """Writes the log back into the file and closes the file. A lost file is rescued first. May be called twice."""
        self._check.stop()
        try:
            self.rescue()
        except (sqlite3.Error, OSError, StoreError) as error:
            log.critical("%s: what was open could not be saved: %s", self.path, error)
            self._closed = True  # SQLite would remove the log beside whatever has taken the place
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._files.forget()
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("pragma wal_checkpoint(truncate)")
            self._connection.close()
            if self.log.is_sound and not (self.damage or self._met_damage or self._is_rescued):
                note_clean_stop(self.path)
            self._hold.release()

    def _shorten_log(self) -> None:
        """Copies the log back while nobody waits, so that a tap seldom has to. Without the centre nobody else does."""
        with self._lock:
            if not self._closed and not self.is_wanted:
                self.log.copy_early()

    def _empty_log(self) -> bool:
        self._files.confirm()
        try:
            return empty_log(self._connection)
        finally:
            self._files.note()  # it may be empty also where its sync failed

    @contextlib.contextmanager
    def _notes_trouble(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self.note_trouble(error)
            raise

    def _open_with_ballast(self) -> sqlite3.Connection:
        try:
            return self._open()
        except (sqlite3.Error, OSError) as error:
            if not (is_full(error) and self.ballast.release()):
                raise
            log.critical("%s: the disk is full; the ballast is released", self.path)
            return self._open()

    def _open(self) -> sqlite3.Connection:
        for _ in range(2):  # a read that fails once may look like damage
            try:
                return _open(self.path, is_to_check=self._is_checked)
            except (sqlite3.Error, ValueError) as error:
                # SQLite's message about a damaged file may be no UTF-8: that is the ValueError.
                if not (is_damage(error) or isinstance(error, ValueError)):
                    raise
                log.critical("%s: %s", self.path, error)
        log.critical("%s: %s", self.path, recover(self.path, now_ms()))
        return _open(self.path, is_to_check=True)

    def _write_rescued(self) -> None:
        self._hold.release()
        self._hold = _lock_out_others(self.path)
        try:
            stray = write_rescued(self._connection, self.path)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            stray = write_rescued(self._connection, self.path, lambda old, new: salvage(old, new, now_ms()))
        self._is_rescued = True
        log.critical("%s is written again from what was open", self.path)
        if stray:
            log.critical("%s is what lay in its place", stray)


class _Reading(contextlib.AbstractContextManager[sqlite3.Connection]):
    """The context of `Store.read()`. One object serves all: a tap enters it a dozen times."""

    def __init__(self, store: Store, lock: FairLock, connection: sqlite3.Connection) -> None:
        self._store, self._lock, self._connection = store, lock, connection

    def __enter__(self) -> sqlite3.Connection:
        self._lock.__enter__()
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._store.note_trouble(error)
        finally:
            self._lock.__exit__(kind, error, trace)


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


def _lock_out_others(path: Path) -> Hold:
    """Refuses a second daemon, which would push under the same epoch. Makes an empty file where there is none."""
    held = hold(path, create=True)
    if held is None:
        raise StoreError(f"{path}: another kiosk daemon is using it")
    return held


def _open(path: Path, *, is_to_check: bool) -> sqlite3.Connection:
    set_aside_stray_log(path)
    demand_file_of_log(path)
    discard_work(path)
    discard_rescued(path)
    renew_log(path)
    connection = connect(path)
    try:
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
