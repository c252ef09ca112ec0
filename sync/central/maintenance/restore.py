"""Puts a backup in the place of the centre's database, whole or not at all, and keeps what was there.

At any moment of it there is one whole database in the place: the old one with its log, or the new one, beside which the
old one's log is set aside at the next opening. The marker beside the database stays, so that the next start sees that
the database was restored.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sync.central.maintenance.backup import mark_as_copy, verified
from sync.central.store.schema import SCHEMA_VERSION
from sync.central.store.sqlite import InUse, StoreError, hold_database
from sync.database_file import keeps_no_log
from sync.durable import free_name, sync_path

_KEPT = ("", "-wal", "-journal")  # what makes up a database, as a crash may have left it


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The last change number in the copy, and where what was there before is kept (None where nothing was)."""

    change: int
    kept: Path | None


def restore(database: Path, file: Path) -> RestoreReport:
    """Puts `file`, a backup or a stopped centre's database, in the place of the database. `file` stays as it is.

    Raises InUse where a service or another command has the database open, StoreError where the file is no whole
    database of a centre that this version can open, or cannot be put there; what was there is there then.
    """
    if not file.is_file():
        raise StoreError(f"{file}: there is no such file")
    try:
        held = hold_database(database)
    except InUse as error:
        raise InUse(f"{database}: the service is using it; stop it first") from error
    part = database.with_name(f"{database.name}.restoring")
    try:
        if database.exists() and database.samefile(file):
            raise StoreError(f"{file}: is the database itself")
        change = _copy(file, part)
        return RestoreReport(change, _put_in_place(part, database))
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{file}: was not restored: {error}") from error
    finally:
        part.unlink(missing_ok=True)
        os.close(held)


def _copy(file: Path, part: Path) -> int:
    """A copy that is verified, durable and marked as one; the last change number in it."""
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    # A backup keeps no log: whatever lies beside it is another database's.
    alone = "&immutable=1" if keeps_no_log(file) else ""
    source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro{alone}", uri=True)
    with closing(source), closing(sqlite3.connect(part)) as target:
        source.backup(target)
        target.execute("pragma journal_mode=delete")
        _demand_ours(target, file)
    mark_as_copy(part)
    change, _ = verified(part)
    sync_path(part)
    return change


def _demand_ours(copy: sqlite3.Connection, file: Path) -> None:
    try:
        version = copy.execute("select max(version) from schema_version").fetchone()[0]
        known = copy.execute("select 1 from incarnation").fetchone()
    except sqlite3.OperationalError as error:
        raise StoreError(f"{file}: is no database of a centre: {error}") from error
    if version is None or known is None:
        raise StoreError(f"{file}: is no database of a centre")
    if version > SCHEMA_VERSION:
        raise StoreError(f"{file}: made by a newer version (schema {version}, this one knows {SCHEMA_VERSION})")


def _put_in_place(part: Path, database: Path) -> Path | None:
    """Gives what is there a second name, then its own to the copy. Each step is durable before the next."""
    kept = _keep(database) if database.exists() else None
    # The journal of a commit that a crash cut off: SQLite would roll it back into whatever bears the database's name.
    _beside(database, "-journal").unlink(missing_ok=True)
    sync_path(database.parent)
    part.replace(database)
    sync_path(database.parent)
    for ending in ("-wal", "-shm"):
        _beside(database, ending).unlink(missing_ok=True)
    sync_path(database.parent)
    return kept


def _keep(database: Path) -> Path:
    """A second name for each file, not a copy: the disk may be full, or no longer able to read what it has."""
    for earlier in database.parent.glob(f"{database.name}.replaced*"):
        if earlier.samefile(database):  # a restore that was cut off; as two databases they would spoil each other
            for ending in _KEPT:
                _beside(earlier, ending).unlink(missing_ok=True)
    kept = free_name(database, ".replaced")
    for ending in _KEPT:
        if _beside(database, ending).exists():
            os.link(_beside(database, ending), _beside(kept, ending))
    sync_path(database.parent)
    return kept


def _beside(database: Path, ending: str) -> Path:
    return database.with_name(database.name + ending)
