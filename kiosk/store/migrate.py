"""Brings the tables of the kiosk's store up to date."""

import sqlite3


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the tables up to date. Raises sqlite3.DatabaseError where a newer version of the program wrote the file.

    No transaction may be open on the connection.
    """
    # Imported here: sqlite-utils takes longer to load than most commands take, and they open no store.
    from sqlite_utils import Database

    from kiosk.store.schema import MIGRATIONS

    database = Database(connection)
    known = {migration.name for migration in MIGRATIONS.pending(Database(memory=True))}
    applied = {migration.name for migration in MIGRATIONS.applied(database)}
    if newer := applied - known:
        raise sqlite3.DatabaseError(f"written by a newer version of this program (schema {max(newer)})")
    if applied != known:
        MIGRATIONS.apply(database)
