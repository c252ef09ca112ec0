"""A file without meaning beside the database: it is removed when the disk is full, so that the last writes have room.

A full disk otherwise stops everything at once: the action at hand, the clean stop, a start, and the log that says why.
"""

import errno
import os
import sqlite3
from pathlib import Path

from sync.database_file import free_bytes
from sync.replacement import beside

BALLAST_BYTES = 8 * 1024 * 1024
_FULL_BYTES = 1024 * 1024  # with less than this free, the next commits may fail
_ROOM = 4  # it is made where so many of it would fit: else it would fill the disk that it is there for


class Ballast:
    """The ballast of one database. Only the process that holds the database may use it."""

    def __init__(self, database: Path, size: int = BALLAST_BYTES) -> None:
        """`size` is in bytes. Nothing is made yet."""
        self.path = beside(database, ".ballast")
        self._size = size

    @property
    def is_there(self) -> bool:
        """Whether the ballast still has its room."""
        return self.path.exists()

    def tend(self) -> None:
        """Removes the ballast where the disk is full, and makes it where there is much room.

        Raises OSError where the file system does not answer.
        """
        free = free_bytes(self.path)
        if free < _FULL_BYTES:
            self.release()
        elif free >= _ROOM * self._size and not self.is_there:
            self._make()

    def release(self) -> bool:
        """Removes the ballast. Returns whether there was one."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True

    def _make(self) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError as error:
            self.path.unlink(missing_ok=True)
            if error.errno not in _NO_ROOM:
                raise
        finally:
            os.close(descriptor)


def is_full(error: BaseException) -> bool:
    """Whether something failed because the disk is full."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        return code & 0xFF == sqlite3.SQLITE_FULL or code == _SHARED_MEMORY
    return isinstance(error, OSError) and error.errno in _NO_ROOM


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_SHARED_MEMORY = sqlite3.SQLITE_IOERR_SHMSIZE  # the index of the log found no room
