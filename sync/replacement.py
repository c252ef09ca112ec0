"""Puts a new file in the place of a closed database, and keeps the old one beside it.

At every moment one complete database stands in the place: the old one with its log, or the new one. The new one has no
log yet, so the next opening tells a log beside it for a stray one (`set_aside_stray_log`).
"""

import os
from pathlib import Path

from sync.durable import free_name, sync_path

_KEPT = ("", "-wal", "-journal")  # the files that make up a database, also after a crash


def put_in_place(part: Path, database: Path, ending: str) -> Path | None:
    """Gives the old database a second name with `ending`, and its own name to `part`, a durable file without a log.

    Each step is durable before the next. Returns the path of the old database; None where there was none. Raises
    OSError. Only the process that holds the database may call this.
    """
    kept = _keep(database, ending) if database.exists() else None
    # The journal of a commit that a crash interrupted: SQLite would roll it back into any file with the database's
    # name.
    beside(database, "-journal").unlink(missing_ok=True)
    sync_path(database.parent)
    part.replace(database)
    sync_path(database.parent)
    for each in ("-wal", "-shm"):
        beside(database, each).unlink(missing_ok=True)
    sync_path(database.parent)
    return kept


def beside(database: Path, ending: str) -> Path:
    """The path of a file beside a database: the name of the database with an ending."""
    return database.with_name(database.name + ending)


def _keep(database: Path, ending: str) -> Path:
    """A second name for each file, not a copy: the disk may be full, or unable to read the old files."""
    for earlier in database.parent.glob(f"{database.name}{ending}*"):
        if earlier.samefile(database):  # left by an interruption: two names of one database would damage it
            for each in _KEPT:
                beside(earlier, each).unlink(missing_ok=True)
    kept = free_name(database, ending)
    for each in _KEPT:
        if beside(database, each).exists():
            os.link(beside(database, each), beside(kept, each))
    sync_path(database.parent)
    return kept
