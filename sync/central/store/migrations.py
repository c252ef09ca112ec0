"""Brings the schema of a database up to date, with the statements of `schema.py`."""

from collections.abc import Callable
from dataclasses import dataclass

from sync.central.store.connection import Connection
from sync.central.store.errors import StoreError
from sync.central.store.schema import MIGRATIONS, SCHEMA_VERSION, SET_VERSION, VERSION_TABLE


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the two databases spell differently: the begin of a transaction that writes, and a table."""

    begin: str
    spelled: Callable[[str], str]


def schema_version(connection: Connection, shown: object) -> int:
    """The schema version of a database; 0 where it has no tables yet.

    `shown` names the database. Raises StoreError where newer software made it, and sqlite3.Error where it is no
    centre's.
    """
    row = connection.execute("select max(version) from schema_version").fetchone()
    version = int(row[0] or 0)
    if version > SCHEMA_VERSION:
        raise StoreError(f"{shown}: made by a newer version (schema {version}, this one knows {SCHEMA_VERSION})")
    return version


def is_newest(connection: Connection, shown: object) -> bool:
    """Whether the schema is the one of this software. Raises as `schema_version()` does."""
    return schema_version(connection, shown) == SCHEMA_VERSION


def migrate(connection: Connection, shown: object, dialect: Dialect, target: int = SCHEMA_VERSION) -> None:
    """Brings the schema up to a version, each version in a transaction of its own.

    Raises StoreError where newer software made the database, and sqlite3.Error where a statement fails.
    """
    connection.execute(dialect.spelled(VERSION_TABLE))
    version = schema_version(connection, shown)
    for number, statements in enumerate(MIGRATIONS[version:target], version + 1):
        connection.execute(dialect.begin)
        try:
            for statement in statements:
                connection.execute(dialect.spelled(statement))
            connection.execute(SET_VERSION, {"version": number})
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise
