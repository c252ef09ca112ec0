"""A SQLite database on a disk that may fail: what both ends do before and beside SQLite itself.

WAL with `synchronous=FULL` is durable on a medium that keeps its promises. Two media do not:

- An SD card may ruin the whole sector that it was writing when the power went.
- After a failed sync, Linux (ext4, XFS) counts the pages as written. The next sync succeeds without writing them, and
  every program still reads them as if they were on the disk.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from sync.durable import free_name, sync_path, write_durably, write_secret

FULL_BYTES = 64 * 1024  # with less than this free, the next commit may find no room
LOW_BYTES = 256 * 1024 * 1024  # with less than this free, somebody should make room before the disk is full


class Hold:
    """A database that this process alone may open, until `release()`. The kernel ends it with the process."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        self._descriptors = list(descriptors)

    def release(self) -> None:
        """Ends the hold. May be called twice.

        The database must be closed: the end of any descriptor of a file ends SQLite's own locks on it.
        """
        while self._descriptors:
            os.close(self._descriptors.pop())


def real_path(database: Path) -> Path:
    """The path of the file itself, where the path of a database is a symbolic link.

    SQLite keeps the log beside the file itself, so everything else belongs there too.
    """
    return Path(os.path.realpath(database)) if os.path.islink(database) else database


def hold(database: Path, *, create: bool = False) -> Hold | None:
    """Locks a database against every other process, whatever name it opens it by.

    One lock is on a file beside it, which holds the name also where no file has it yet. The other one is on the file
    itself, which may have further names. With `create` an empty file is made where there is none. Returns None where
    another process holds one of the two. Raises OSError, or ValueError where the path can be no name of a file.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    name = _lock(database.with_name(f"{database.name}.lock"), os.O_RDWR | os.O_CREAT)
    if name is None:
        return None
    held = Hold([name])
    try:
        file = _lock(database, os.O_RDONLY | (os.O_CREAT if create else 0))
    except FileNotFoundError:
        return held
    except OSError:
        held.release()
        raise
    if file is None:
        held.release()
        return None
    return Hold([name, file])


def _lock(path: Path, flags: int) -> int | None:
    """Opens and locks a file. Returns its descriptor, or None where it is locked already. Raises OSError."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


ConnectionType = TypeVar("ConnectionType", bound=sqlite3.Connection)


def connect(path: Path, cached_statements: int = 128) -> sqlite3.Connection:
    """A connection that any thread may use, without automatic transactions. Raises sqlite3.Error."""
    return connect_as(sqlite3.Connection, path, cached_statements)


def connect_as(factory: type[ConnectionType], path: Path, cached_statements: int = 128) -> ConnectionType:
    """As `connect`, with a class of connections of its own.

    It never makes a file: where the path has none, a new empty database would hide that one was lost. "Powersafe
    overwrite" is off: each commit fills its last sector, so that a power cut in the next commit cannot ruin it.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw&psow=0",
        uri=True,
        check_same_thread=False,
        isolation_level=None,
        factory=factory,
        cached_statements=cached_statements,
    )


def set_aside_stray_log(database: Path) -> Path | None:
    """Renames a log beside a database that keeps no log. Returns the log's new path, or None. Raises OSError.

    Such a log belongs to an earlier database, whose file was replaced by a backup, and SQLite would replay it onto the
    backup. Only the process that holds the database may call this, before it opens the database.
    """
    log = log_of(database)
    if not log.exists() or not keeps_no_log(database):
        return None
    stray = free_name(database, "-wal.stray")
    log.rename(stray)
    sync_path(database.parent)
    return stray


def keeps_no_log(database: Path) -> bool:
    """Whether a database's header says that the database has no log. Raises OSError.

    The header's write and read versions are 1 then. SQLite sets both to 2, durably, before it begins the first log
    (sqlite.org/fileformat2.html, 1.3.3).
    """
    try:
        with database.open("rb") as file:
            header = file.read(20)
    except FileNotFoundError:
        return False
    return header[18:20] == b"\x01\x01"


def renew_log(database: Path) -> None:
    """Writes the log that a crash has left beside a database again, since the last sync of the log may have failed.

    Only the process that holds the database may call this, before it opens the database. Raises OSError.
    """
    log = log_of(database)
    try:
        content = log.read_bytes()
    except FileNotFoundError:
        return
    try:
        write_secret(log, content)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # There is no room for a second log. Writing in place is second best: a power cut could ruin a sound sector.
        descriptor = os.open(log, os.O_WRONLY)
        try:
            write_durably(descriptor, content)
        finally:
            os.close(descriptor)


def is_failed_sync(error: BaseException) -> bool:
    """Whether a commit failed because it could not be made durable."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_FSYNC


def empty_log(connection: sqlite3.Connection) -> bool:
    """Copies the content of the log into the database, where it is written and synced again, and empties the log.

    To be called before the next commit after a failed sync. Returns False where a reader prevented it. Raises
    sqlite3.Error.
    """
    return not connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]


def free_bytes(database: Path) -> int:
    """The bytes that are free for this program on the file system of a database. Raises OSError."""
    found = os.statvfs(database.parent)
    return found.f_bavail * found.f_frsize


def log_of(database: Path) -> Path:
    """The path of a database's log."""
    return database.with_name(f"{database.name}-wal")
