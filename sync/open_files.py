"""Whether an open database is still the file at its path.

A program may keep a file open that was deleted, moved or replaced. SQLite goes on writing into it, and all of that is
gone with the process. So a commit is acknowledged only while path and file belong together.
"""

import os
import sqlite3
from pathlib import Path

from sync.database_file import log_of


class FileLost(sqlite3.OperationalError):
    """The file of an open database was deleted, moved, replaced or cut short. Nothing in it may be acknowledged."""

    sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    sqlite_errorname = "SQLITE_CANTOPEN"


class OpenFiles:
    """The files of one open database, the log among them. Only the thread that holds the store may use them."""

    def __init__(self, database: Path) -> None:
        """Nothing is compared before the first `note()`."""
        self._paths = tuple(str(path.absolute()) for path in (database, log_of(database)))
        self._seen: dict[str, os.stat_result] = {}

    def note(self) -> None:
        """Takes the files as they are. To be called after the opening, and after a step that makes a file smaller.

        Raises FileLost where one of them is missing, or is no longer the one that was noted before.
        """
        for path in self._paths:
            now = _look(path)
            _demand_same(path, self._seen.get(path, now), now)
            self._seen[path] = now

    def confirm(self) -> None:
        """Raises FileLost where a file is not the one that was noted, or is smaller than it was. Takes microseconds.

        SQLite itself makes neither of them smaller in a commit.
        """
        for path, before in self._seen.items():
            now = _look(path)
            _demand_same(path, before, now)
            if now.st_size < before.st_size:
                raise FileLost(f"{path} was cut short")
            self._seen[path] = now

    def demand_same(self) -> None:
        """Raises FileLost where a file is not the one that was noted. Any thread may call this.

        A connection that was made before the call is one to the file that was noted.
        """
        for path, before in tuple(self._seen.items()):
            _demand_same(path, before, _look(path))

    def forget(self) -> None:
        """Compares nothing any more: the database is about to be closed, and its log goes."""
        self._seen.clear()


def _look(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise FileLost(f"{path} is not there any more: {error.strerror}") from error


def _demand_same(path: str, before: os.stat_result, now: os.stat_result) -> None:
    if before.st_ino != now.st_ino or before.st_dev != now.st_dev:
        raise FileLost(f"{path} is another file than the one that is open")
