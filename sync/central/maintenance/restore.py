"""Puts a backup in the place of the centre's database, completely or not at all, and keeps the old database.

The marker beside the database stays, so the next start recognises the restore.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sync.central.maintenance.backup import changes_and_chains
from sync.central.store.errors import InUse, StoreError
from sync.central.store.migrations import schema_version
from sync.central.store.sqlite import hold_database
from sync.central.store.sqlite_connection import SqliteConnection
from sync.central.store.sqlite_copy import mark_as_copy, open_copy, verify_copy
from sync.database_file import keeps_no_log
from sync.durable import sync_path
from sync.replacement import put_in_place


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The last change number in the restored database, and where the old one is kept (None where there was none)."""

    change: int
    kept: Path | None


def restore(database: Path, file: Path) -> RestoreReport:
    """Puts a copy of `file`, a backup or a stopped centre's database, in the place of the database.

    Raises InUse where a service or another command has the database open. Raises StoreError where the file is no sound
    database of a centre, is of a newer version, or cannot be copied; the old database stays in its place then.
    """
    if not file.is_file():
        raise StoreError(f"{file}: there is no such file")
    try:
        lock = hold_database(database)
    except InUse as error:
        raise InUse(f"{database}: the service is using it; stop it first") from error
    part = database.with_name(f"{database.name}.restoring")
    try:
        if database.exists() and database.samefile(file):
            raise StoreError(f"{file}: is the database itself")
        change = _copy(file, part)
        return RestoreReport(change, put_in_place(part, database, ".replaced"))
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{file}: was not restored: {error}") from error
    finally:
        part.unlink(missing_ok=True)
        lock.release()


def _copy(file: Path, part: Path) -> int:
    """Writes a checked, durable and marked copy into `part`, and returns its last change number."""
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    # A backup has no log: a log beside it belongs to another database.
    alone = "&immutable=1" if keeps_no_log(file) else ""
    with closing(open_copy(file, f"mode=ro{alone}")) as source, closing(open_copy(part, "mode=rw")) as target:
        source.backup(target)
        target.execute("pragma journal_mode=delete")
        _check_origin(target, file)
    mark_as_copy(part)
    change, _ = verify_copy(part, changes_and_chains)
    sync_path(part)
    return change


def _check_origin(copy: SqliteConnection, file: Path) -> None:
    """Raises StoreError where a copy is no centre's database, or was made by a newer version."""
    try:
        version = schema_version(copy, file)
        known = copy.execute("select 1 from incarnation").fetchone()
    except sqlite3.OperationalError as error:
        raise StoreError(f"{file}: is no database of a centre: {error}") from error
    if version == 0 or known is None:
        raise StoreError(f"{file}: is no database of a centre")
