"""The store on SQLite: one writer, separate readers, and every commit on disk before its news.

SQLite runs in WAL with `synchronous=FULL`. Everything that is particular to SQLite is in this file
and in `sqlite_connection.py`.
"""

import contextlib
import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from sync.ballast import Ballast, is_full
from sync.central.store.errors import InUse, StoreError
from sync.central.store.migrations import Dialect, migrate
from sync.central.store.news import News
from sync.central.store.place import Place, place_of
from sync.central.store.shared_commits import SharedCommits
from sync.central.store.sqlite_connection import SqliteConnection, SqliteWriter
from sync.central.store.sqlite_copy import mark_as_copy, verify_copy
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.database_check import (
    BackgroundCheck,
    demand_file_of_log,
    demand_sound,
    note_clean_stop,
    take_clean_stop,
)
from sync.database_file import (
    Hold,
    connect_as,
    empty_log,
    free_bytes,
    hold,
    renew_log,
    set_aside_stray_log,
)
from sync.open_files import FileLost, OpenFiles
from sync.rescue import discard_rescued, write_rescued
from sync.write_ahead_log import WriteAheadLog

log = logging.getLogger(__name__)

Found = TypeVar("Found")


class SqliteStore:
    """One open file."""

    def __init__(
        self, url: str, state_dir: Path | None = None, *, news: News | None = None, create: bool = True
    ) -> None:
        """Opens the database, locks it against other processes, and brings its schema up to date.

        Without `create` there must be one: an empty database under a mistyped path would be another centre. The whole
        file is checked, unless it was closed in good order: then `check_in_background()` may do it. Raises StoreError,
        or InUse where another process has the database open.
        """
        self.place: Place = place_of(url, state_dir)
        assert self.place.file is not None
        self.path = self.place.file
        self.news = news or News()
        self.ballast = Ballast(self.path)
        self._readers: list[SqliteConnection] = []
        self._is_rescued = False
        self._check = BackgroundCheck(self.path)
        self._files = OpenFiles(self.path)
        if not create:
            demand_database(self.path)
        self._hold = hold_database(self.path, create=create)
        try:
            self._is_checked = not take_clean_stop(self.path)
            self._writer = self._open_with_ballast()
            self._files.note()
            self.log = WriteAheadLog(self._writer, self._empty_log)
        # SQLite's message about a damaged file may be no UTF-8: that is the ValueError.
        except (sqlite3.Error, OSError, ValueError) as error:
            self._hold.release()
            raise StoreError(f"{self.path}: {error}") from error
        except StoreError:
            self._hold.release()
            raise
        self._commits = SharedCommits(SqliteWriter(self._writer, self.log, self._files))

    @contextlib.contextmanager
    def write(self, *, brief: bool = False, beside: bool = False) -> Iterator[WriteTransaction]:  # noqa: ARG002
        """One transaction, as `Store.write()` says. It is beside nobody: no other service has the file.

        Raises FileLost where the file is no longer at its path. What was committed then may be there or not.
        """
        try:
            with self._commits.transaction(brief=brief) as transaction:
                yield transaction
        except sqlite3.Error as error:
            self._release_ballast(error)  # the next transaction has room then
            raise
        if transaction.news:
            self.news.announce(transaction.news)

    @contextlib.contextmanager
    def read(self) -> Iterator[ReadTransaction]:
        """A view of the state at one moment. Neither the view nor a writer waits for the other."""
        connection = self._take_reader()
        connection.execute("begin")
        try:
            yield ReadTransaction(connection)
        finally:
            connection.execute("rollback")
            self._readers.append(connection)

    @contextlib.contextmanager
    def glance(self) -> Iterator[ReadTransaction]:
        """A view for one statement, which needs no transaction around it."""
        connection = self._take_reader()
        try:
            yield ReadTransaction(connection)
        finally:
            self._readers.append(connection)

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
        """Reads one row. Raises sqlite3.Error where the database cannot be read."""
        with self.read() as db:
            db.latest_change()

    def free_bytes(self) -> int:
        """The free bytes of the disk under the file. Raises OSError."""
        return free_bytes(self.path)

    def copy_to(self, file: Path, look: Callable[[ReadTransaction], Found]) -> Found:
        """Copies one moment's state, as `Store.copy_to()` says."""
        source, target = self._connect_again(), sqlite3.connect(file)
        try:
            source.backup(target)
            target.execute("pragma journal_mode=delete")  # the copy is one file without a log beside it
        finally:
            target.close()
            source.close()
        mark_as_copy(file)
        return verify_copy(file, look)

    def tend(self) -> bool:
        """Looks after the file and its ballast. Returns whether the program has to end, and the next start mends it.

        Where the file is no longer at its path, what is still open is written there first. Raises sqlite3.Error,
        OSError or StoreError where that fails: it may be called again then.
        """
        if self.rescue():
            return True
        self.ballast.tend()
        return False

    def rescue(self) -> bool:
        """Writes what is still open of a lost file to its path. Returns whether there was, or had been, need to.

        The store takes nothing more then. What has taken the file's place is kept beside it.
        """
        with self._commits.alone():
            if self._is_rescued:
                return True
            try:
                self._files.confirm()
            except FileLost as error:
                log.critical("%s", error)
                self._hold.release()
                self._hold = hold_database(self.path)
                stray = write_rescued(self._writer, self.path)
                self._is_rescued = True
                log.critical("%s is written again from what was open", self.path)
                if stray:
                    log.critical("%s is what lay in its place", stray)
            return self._is_rescued

    def heed(self, reread: Callable[[ReadTransaction], bool], set_back: Callable[[WriteTransaction], None]) -> None:
        """Does nothing: no other service changes the file."""

    def leads(self) -> bool:
        """True: no other service has the file open."""
        return True

    def has_other_hosts(self) -> bool:
        """False: no other host has the file open."""
        return False

    def server_ms(self) -> None:
        """None: this machine has the file."""
        return

    def close(self) -> None:
        """Writes the log back into the file and closes the file. A lost file is rescued first."""
        self._check.stop()
        try:
            self.rescue()
        except (sqlite3.Error, OSError, StoreError) as error:
            log.critical("%s: what was open could not be saved: %s", self.path, error)
            return  # SQLite would remove the log beside whatever has taken the place
        with self._commits.alone(), contextlib.suppress(sqlite3.Error):
            self._files.forget()
            while self._readers:
                self._readers.pop().close()
            self._writer.execute("pragma wal_checkpoint(truncate)")
        self._writer.close()
        if self.log.is_sound and not (self.damage or self._is_rescued):
            note_clean_stop(self.path)
        self._hold.release()

    def _empty_log(self) -> bool:
        self._files.confirm()
        try:
            return empty_log(self._writer)
        finally:
            self._files.note()  # it may be empty also where its sync failed

    def _open_with_ballast(self) -> SqliteConnection:
        try:
            return _open(self.path, is_to_check=self._is_checked)
        except (sqlite3.Error, OSError) as error:
            if not self._release_ballast(error):
                raise
            return _open(self.path, is_to_check=self._is_checked)

    def _release_ballast(self, error: Exception) -> bool:
        if not (is_full(error) and self.ballast.release()):
            return False
        log.critical("%s: the disk is full; the ballast is released", self.path)
        return True

    def _take_reader(self) -> SqliteConnection:
        # list.pop is atomic, so readers need no lock.
        with contextlib.suppress(IndexError):
            return self._readers.pop()
        connection = self._connect_again()
        connection.execute("pragma query_only=on")
        return connection

    def _connect_again(self) -> SqliteConnection:
        """A further connection to the very file that is open. Raises FileLost where the path has another one."""
        connection = _connect(self.path)
        try:
            self._files.demand_same()
        except FileLost:
            connection.close()
            raise
        return connection


def demand_database(path: Path) -> None:
    """Raises StoreError where there is no file at the path."""
    if not path.exists():
        raise StoreError(
            f"{path}: there is no such database. Correct --database, or make one:"
            " kiosk-central import, or kiosk-central run --create"
        )


def hold_database(path: Path, *, create: bool = False) -> Hold:
    """Locks a database against a second process, which would be a second writer.

    With `create` an empty file is made where there is none. The caller releases the hold, after it has closed the
    database. Raises InUse, or StoreError where no file can be at that path.
    """
    try:
        held = hold(path, create=create)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: {error}") from error
    if held is None:
        raise InUse(f"{path}: another process is using it")
    return held


def _connect(path: Path) -> SqliteConnection:
    connection = connect_as(SqliteConnection, path, cached_statements=512)
    connection.row_factory = sqlite3.Row
    for pragma in ("synchronous=full", "foreign_keys=on", "busy_timeout=5000", "temp_store=memory"):
        connection.execute(f"pragma {pragma}")
    return connection


def _open(path: Path, *, is_to_check: bool) -> SqliteConnection:
    if stray := set_aside_stray_log(path):
        log.warning(
            "%s came without its log; the log beside it belongs to another database, and is now %s", path, stray
        )
    demand_file_of_log(path)
    discard_rescued(path)
    renew_log(path)
    connection = _connect(path)
    try:
        connection.execute("pragma journal_mode=wal")
        if is_to_check:
            demand_sound(connection)
        migrate(connection, path, SQLITE)
    except BaseException:
        connection.close()
        raise
    return connection


def _for_sqlite(statement: str) -> str:
    """SQLite checks types in strict tables alone, and those spell their numbers `integer`."""
    if not statement.startswith(("create table", "alter table")):
        return statement
    sqlite_types = re.sub(r"\bbigint\b", "integer", statement)
    return sqlite_types + " strict, without rowid" if sqlite_types.startswith("create") else sqlite_types


SQLITE = Dialect("begin immediate", _for_sqlite)
