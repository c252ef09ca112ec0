"""When the whole file of a database is checked: before it is used or, after a clean stop, beside its use.

A check reads every page, which takes seconds where the file is large. A program that closed its database in good order
leaves a mark beside it. The mark describes that very file, so neither a copy, a backup nor a file that anybody has
written since matches it. It is removed before the file is opened, so a crash leaves none.
"""

import logging
import sqlite3
import threading
from pathlib import Path

import msgspec

from sync.database_file import connect, log_of
from sync.durable import sync_path, write_secret

log = logging.getLogger(__name__)


class _StoppedFile(msgspec.Struct, frozen=True):
    """The content of the mark: what tells one file from another, and from itself after a write."""

    inode: int
    size: int
    mtime_ns: int


def note_clean_stop(database: Path) -> None:
    """Leaves the mark beside a database that was just closed.

    There is no mark where the log still holds something, or where none can be written. The next opening checks the file
    then.
    """
    try:
        if not _has_log(database):
            write_secret(mark_path(database), msgspec.json.encode(_stopped(database)))
    except OSError as error:
        log.warning("%s: the next start checks the whole file, since this stop left no mark: %s", database, error)


def take_clean_stop(database: Path) -> bool:
    """Removes the mark, durably. Returns whether the database is the file that was closed then. Raises OSError.

    To be called before the database is opened, by the process that holds it.
    """
    mark = mark_path(database)
    try:
        content = mark.read_bytes()
        mark.unlink()
    except FileNotFoundError:
        return False
    sync_path(mark.parent)
    try:
        return msgspec.json.decode(content, type=_StoppedFile) == _stopped(database) and not _has_log(database)
    except (msgspec.DecodeError, ValueError, FileNotFoundError):
        return False


def mark_path(database: Path) -> Path:
    """The path of the mark. Neither a backup nor a copy needs it."""
    return database.with_name(f"{database.name}.stopped")


class Damaged(sqlite3.DatabaseError):
    """The file of a database is damaged. The message says what was found."""


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file of a database is damaged, and not that it cannot be reached or is too new."""
    return isinstance(error, Damaged) or (
        isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
    )


def demand_sound(connection: sqlite3.Connection) -> None:
    """Checks every page of a database. Raises Damaged where one is, and sqlite3.Error where none can be read."""
    try:
        found = connection.execute("pragma quick_check(1)").fetchone()[0]
    except UnicodeDecodeError:  # SQLite quotes what it found
        found = "it holds what is no text"
    if found != "ok":
        raise Damaged(f"the database is damaged: {found}")


def demand_file_of_log(database: Path) -> None:
    """Raises Damaged where an empty file has a log: it was cut short, and SQLite would delete the log. Raises OSError.

    To be called before the database is opened, by the process that holds it.
    """
    if database.stat().st_size == 0 and _has_log(database):
        raise Damaged("the database is damaged: its file is empty, and its log is not")


class BackgroundCheck:
    """A check on a thread and a connection of its own. It holds up neither readers nor writers."""

    def __init__(self, database: Path) -> None:
        self.damage: str | None = None  # what was found so far, in words
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="database check", daemon=True)

    def start(self) -> None:
        """Begins the check."""
        self._thread.start()

    def wait(self) -> None:
        """Waits for the end of the check."""
        self._thread.join()

    def stop(self) -> None:
        """Ends the check, also in the middle. May be called twice."""
        with self._lock:
            self._stopped = True
            if self._connection is not None:
                self._connection.interrupt()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._check()
        except (sqlite3.Error, OSError, ValueError) as error:
            if not self._stopped:
                self.damage = str(error)
                log.critical("%s: %s", self._database, error)

    def _check(self) -> None:
        with self._lock:
            if self._stopped:
                return
            connection = self._connection = connect(self._database)
        try:
            connection.execute("pragma busy_timeout=5000")
            connection.execute("pragma query_only=on")
            demand_sound(connection)
        finally:
            with self._lock:
                self._connection = None
            connection.close()


def _stopped(database: Path) -> _StoppedFile:
    found = database.stat()
    return _StoppedFile(found.st_ino, found.st_size, found.st_mtime_ns)


def _has_log(database: Path) -> bool:
    """Whether the log holds commits that are not in the file."""
    try:
        return log_of(database).stat().st_size > 0
    except FileNotFoundError:
        return False


_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
