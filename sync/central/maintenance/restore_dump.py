"""Puts a dump in the place of the centre's tables in PostgreSQL, completely or not at all, and keeps the old ones.

The old tables stay in the same database, in a schema of their own, which the service does not look into. The marker of
the state directory stays too, so the next start recognises the restore.
"""

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sync.central.maintenance.restore_report import RestoreReport
from sync.central.store.connection import Connection
from sync.central.store.errors import InUse, StoreError
from sync.central.store.pg_programs import load, read_through
from sync.central.store.pg_schemas import OURS, REPLACED, demand_centre, keep_tables, mark_as_copy, put_back
from sync.central.store.place import Place
from sync.central.store.postgres import connect_to, hold_database
from sync.central.store.transactions import ReadTransaction


def restore_dump(place: Place, file: Path) -> RestoreReport:
    """Puts the tables of `file`, a backup, in the place of those of the database.

    Raises InUse where a service or another command has the database open. Raises StoreError where the file is no sound
    backup of a centre, is of a newer version, or cannot be taken; the old tables stay in their place then.
    """
    try:
        read_through(file)
        alone = hold_database(place)
    except InUse as error:
        raise InUse(f"{place}: the service is using it; stop it first") from error
    except OSError as error:
        raise StoreError(f"{file}: is no sound backup: {error}") from error
    try:
        with contextlib.closing(alone), contextlib.closing(connect_to(place)) as connection:
            return _replace(connection, place, file)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{file}: was not restored: {error}") from error


def _replace(connection: Connection, place: Place, file: Path) -> RestoreReport:
    kept = keep_tables(connection, f"{REPLACED}{datetime.now(UTC):%Y%m%d_%H%M%S_%f}")
    try:
        load(place.direct, file, OURS)
        demand_centre(connection, file)
        mark_as_copy(connection)
        change = ReadTransaction(connection).latest_change()
    except BaseException:
        put_back(connection, kept)
        raise
    return RestoreReport(change, kept)
