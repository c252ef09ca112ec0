"""Files that survive a power cut and a disk that fails: written whole, held against a second process, and what SQLite
leaves to whoever opens it.

WAL with `synchronous=FULL` is durable on a medium that keeps its promises. An SD card may ruin the whole sector that it
was writing when the power went; and where a sync fails, Linux (ext4, XFS) counts the pages as written from then on, so
that the next sync succeeds without having written them, while every program still reads them as if they were there.
"""

import errno
import fcntl
import os
import sqlite3
from pathlib import Path


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read, whole or not at all, and durable. Raises OSError."""
    put_in_place(prepare_secret(path, content), path)


def prepare_secret(path: Path, content: bytes) -> Path:
    """Writes beside the file what is to be in it, durable, and returns where: to put it in place takes no space any
    more. Raises OSError, with nothing left of it."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        _write(descriptor, content)
    except OSError:
        fresh.unlink(missing_ok=True)  # half of it would only keep a full disk full
        raise
    finally:
        os.close(descriptor)
    return fresh


def put_in_place(fresh: Path, path: Path) -> None:
    """Gives a file that was prepared beside it the name of the file, durably. Raises OSError, with nothing left of it
    where the name could not be given."""
    try:
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    sync_path(path.parent)


def hold(database: Path) -> int | None:
    """Holds a database, which need not be there yet, against a second process: by a lock on a file beside it, which
    the end of the process ends, however it comes about. The descriptor, to be closed at the end; None where another
    process holds it. Raises OSError, or ValueError for what can be no name of a file."""
    database.parent.mkdir(parents=True, exist_ok=True)
    name = database.with_name(f"{database.name}.lock")
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


def connect(path: Path, cached_statements: int = 128) -> sqlite3.Connection:
    """A connection that any thread may use, and that leaves transactions to its user. Each commit fills up its last
    sector ("powersafe overwrite" off), so that the next one, torn, cannot take it along. Raises sqlite3.Error."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?psow=0",
        uri=True,
        check_same_thread=False,
        isolation_level=None,
        cached_statements=cached_statements,
    )


def set_aside_stray_log(database: Path) -> Path | None:
    """Renames a log that lies beside a database which keeps none: it is another one's, whose file gave way to a backup,
    and SQLite would replay it onto that. To be called before the database is opened, by the one process that may. The
    log's new name, or None. Raises OSError."""
    log = database.with_name(f"{database.name}-wal")
    if not log.exists() or not keeps_no_log(database):
        return None
    stray = free_name(database, "-wal.stray")
    log.rename(stray)
    sync_path(database.parent)
    return stray


def keeps_no_log(database: Path) -> bool:
    """Whether a database's header says that it has no log: its format to write and to read is 1 then, and 2, durably,
    before the first log is begun (sqlite.org/fileformat2.html, 1.3.3). Raises OSError."""
    try:
        with database.open("rb") as file:
            header = file.read(20)
    except FileNotFoundError:
        return False
    return header[18:20] == b"\x01\x01"


def free_name(path: Path, ending: str) -> Path:
    """A name beside a file that nothing bears: its own with the ending, and a number from the second on."""
    names = (path.with_name(f"{path.name}{ending}{number}") for number in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(name for name in names if not name.exists())


def sync_path(path: Path) -> None:
    """Makes a file durable, or the names of a directory. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def renew_log(database: Path) -> None:
    """Writes the log that a crash has left beside a database once more, before anything builds on it: the last run's
    sync of it may have failed. To be called before the database is opened, by the one process that may. Raises OSError.
    """
    log = database.with_name(f"{database.name}-wal")
    try:
        content = log.read_bytes()
    except FileNotFoundError:
        return
    try:
        write_secret(log, content)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # No room for a second one. In its place, a power cut could ruin a sector that was sound.
        descriptor = os.open(log, os.O_WRONLY)
        try:
            _write(descriptor, content)
        finally:
            os.close(descriptor)


def is_failed_sync(error: BaseException) -> bool:
    """Whether a commit failed because it could not be made durable."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_FSYNC


def begin_log_anew(connection: sqlite3.Connection) -> bool:
    """To be called before the next commit after a failed sync: copies what the log holds into the database, where it is
    written and synced again. False where a reader stood in the way. Raises sqlite3.Error."""
    return not connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
