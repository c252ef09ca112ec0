"""Copies of SQLite's file: a backup, and what a restore puts in the database's place."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from sync.central.store.sqlite_connection import SqliteConnection
from sync.central.store.transactions import ReadTransaction

Found = TypeVar("Found")


def mark_as_copy(part: Path) -> None:
    """Leaves no opening in a copy that a marker could hold, so that its first opening is recognised as a restore."""
    with closing(sqlite3.connect(part)) as copy, copy:
        copy.execute("delete from openings")


def verify_copy(part: Path, look: Callable[[ReadTransaction], Found]) -> Found:
    """Checks a copy, and returns what `look` reads in it. Raises sqlite3.Error where it is damaged."""
    with closing(open_copy(part)) as copy:
        fault = copy.execute("pragma integrity_check(1)").fetchone()[0]
        if fault != "ok":
            raise sqlite3.DatabaseError(fault)
        return look(ReadTransaction(copy))


def open_copy(file: Path, options: str = "mode=ro") -> SqliteConnection:
    """A connection to a file that is no open database. Raises sqlite3.Error."""
    made = sqlite3.connect(f"{file.absolute().as_uri()}?{options}", uri=True, factory=SqliteConnection)
    made.row_factory = sqlite3.Row
    return made
