"""Saves what a program still holds open of a database whose file was deleted, moved or replaced."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sync.database_check import demand_sound
from sync.durable import sync_path
from sync.replacement import beside, put_in_place

Copy = Callable[[sqlite3.Connection, sqlite3.Connection], object]  # from a connection into another one


def copy_whole(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copies every page, and checks the copy. Raises sqlite3.Error."""
    source.backup(target)
    target.execute("pragma journal_mode=delete")
    demand_sound(target)


def write_rescued(source: sqlite3.Connection, database: Path, copy: Copy = copy_whole) -> Path | None:
    """Writes the content of an open connection into the database's path, durably.

    What has taken the place meanwhile is kept beside it as `.stray`, and its path returned; None where nothing had.
    Only the process that holds the database may call this. Raises sqlite3.Error or OSError; the path is as before then.
    """
    part = beside(database, ".rescued")
    discard_rescued(database)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as target:
            copy(source, target)
        sync_path(part)
        return put_in_place(part, database, ".stray")
    finally:
        part.unlink(missing_ok=True)


def discard_rescued(database: Path) -> None:
    """Removes half a copy that a crash in `write_rescued` has left. Raises OSError."""
    beside(database, ".rescued").unlink(missing_ok=True)
