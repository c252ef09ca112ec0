"""A damaged store: its file is kept beside a new one, which takes what can be read."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from kiosk.store.damaged_file import copy_readable, single_leaves
from kiosk.store.salvage import salvage
from sync.durable import sync_path
from sync.replacement import beside, put_in_place

DAMAGED = ".damaged"
_WORK = (".recovered", ".read", ".leaf")  # the files of a recovery under way
_KEPT = (DAMAGED, ".stray")


def recover(database: Path, at_ms: int) -> str:
    """Puts a new store in the place of a damaged one, which is closed. Returns in words what was recovered.

    The damaged file is kept beside it as `.damaged`. `at_ms` is UTC ms. Raises sqlite3.Error or OSError; the damaged
    file is in its place then. Only the process that holds the database may call this.
    """
    part, copy, leaf = (beside(database, each) for each in _WORK)
    discard_work(database)
    try:
        for path in (part, copy, leaf):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        copy_readable(database, copy)
        with (
            closing(sqlite3.connect(copy, isolation_level=None)) as source,
            closing(sqlite3.connect(part, isolation_level=None)) as target,
        ):
            salvaged = salvage(source, target, at_ms, single_leaves(copy, leaf))
        sync_path(part)
        kept = put_in_place(part, database, DAMAGED)
    finally:
        discard_work(database)
    return f"{salvaged.words}; the damaged file is {kept}"


def discard_work(database: Path) -> None:
    """Removes the files that a crash in `recover` has left: they hold data of patients. Raises OSError."""
    for each in _WORK:
        beside(database, each).unlink(missing_ok=True)


def kept_files(database: Path) -> list[Path]:
    """The damaged and stray files that lie beside a database. They hold data of patients."""
    return sorted(each for ending in _KEPT for each in database.parent.glob(f"{database.name}{ending}*"))
