"""The schemas of PostgreSQL at a restore: the centre's tables are in `public`, and replaced ones in another one."""

from sync.central.store.connection import Connection
from sync.central.store.errors import StoreError
from sync.central.store.migrations import schema_version

OURS = "public"  # other programs may have schemas of their own beside it, which no backup holds
REPLACED = "replaced_"  # the names of the schemas with replaced tables begin so


def keep_tables(connection: Connection, name: str) -> str | None:
    """Moves the centre's tables into a new schema, and leaves none in their place.

    Returns the schema; None where there were no tables. Raises sqlite3.Error.
    """
    if not has_tables(connection):
        return None
    _together(connection, f'alter schema public rename to "{name}"', "create schema public")
    return name


def put_back(connection: Connection, kept: str | None) -> None:
    """Moves kept tables back, in the place of what a failed restore has left. Raises sqlite3.Error."""
    renamed = (f'alter schema "{kept}" rename to public',) if kept else ("create schema public",)
    _together(connection, "drop schema public cascade", *renamed)


def has_tables(connection: Connection) -> bool:
    """Whether the database has the tables of a centre. Raises sqlite3.Error."""
    return bool(connection.execute("select to_regclass('public.schema_version') is not null").fetchone()[0])


def is_amid_restore(connection: Connection) -> bool:
    """Whether a restore was interrupted: the tables were moved away, and none came. Raises sqlite3.Error."""
    found = connection.execute(f"select 1 from pg_namespace where starts_with(nspname, '{REPLACED}')").fetchone()  # noqa: S608
    return found is not None and not has_tables(connection)


def demand_centre(connection: Connection, shown: object) -> None:
    """Raises StoreError where the tables are no centre's, or a newer version made them. `shown` names their origin."""
    is_centre = has_tables(connection) and connection.execute("select 1 from incarnation").fetchone() is not None
    if not is_centre or schema_version(connection, shown) == 0:
        raise StoreError(f"{shown}: is no backup of a centre")


def mark_as_copy(connection: Connection) -> None:
    """Leaves no opening in the tables that a marker could hold, so that the next start recognises the restore."""
    connection.execute("delete from openings")


def _together(connection: Connection, *statements: str) -> None:
    connection.execute("begin")
    try:
        for statement in statements:
            connection.execute(statement)
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
