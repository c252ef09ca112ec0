"""A database of the old system on PostgreSQL. Its values are read and written as PostgreSQL's own texts of them: the
way back brings the very same value, whatever its type.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from sync.central.legacy.old_database import IN_USE, PORTION, Values, insertion, quoted
from sync.central.store.errors import StoreError
from sync.central.store.pg_errors import translated
from sync.central.store.pg_programs import dump, read_through
from sync.central.store.place import place_of

_SETTINGS = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c bytea_output=hex"
_LOCKED = ("55P03", "40P01", "40001")  # lock_not_available, deadlock_detected, serialization_failure
_COLUMNS = """select attname, format_type(atttypid, atttypmod), attnotnull and not atthasdef and attidentity = ''
    from pg_attribute where attrelid = to_regclass(?) and attnum > 0 and not attisdropped order by attnum"""
_json = msgspec.json.Decoder(list[str | None])


class OldPostgres:
    """The open database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.shown = place_of(url, Path()).shown
        with self._named():
            self._connection = psycopg.connect(
                url, autocommit=True, options=_SETTINGS, application_name="migrate-legacy"
            )

    def columns(self, table: str) -> Mapping[str, str]:
        """As `OldDatabase.columns`."""
        return {name: declared for name, declared, _ in self.read(_COLUMNS, (quoted(table),))}

    def demanded(self, table: str) -> Sequence[str]:
        """As `OldDatabase.demanded`."""
        return [name for name, _, is_demanded in self.read(_COLUMNS, (quoted(table),)) if is_demanded]

    @contextmanager
    def held(self, tables: Sequence[str], *, writes: bool) -> Iterator[None]:
        """As `OldDatabase.held`. The lock comes before the first query, which sets the moment that all queries see."""
        mode, lock = ("read write", "share row exclusive") if writes else ("read only", "share")
        names = ", ".join(map(quoted, tables))
        with self._named():
            self._run(f"begin isolation level repeatable read {mode}")
        try:
            with self._named():
                self._run(f"lock table {names} in {lock} mode nowait")
            yield
            with self._named():
                self._run("commit")
        except BaseException:
            if not self._connection.closed:
                self._run("rollback")
            raise

    def count(self, table: str) -> int:
        """As `OldDatabase.count`."""
        return int(self.read(f"select count(*) from {quoted(table)}")[0][0])  # noqa: S608

    def rows(self, sql: str) -> Iterator[Values]:
        """As `OldDatabase.rows`, by a cursor at the server."""
        with self._named(), self._connection.cursor(name="old_rows") as cursor:
            cursor.itersize = PORTION
            cursor.execute(sql.encode())
            yield from cursor

    def read(self, sql: str, values: Values = ()) -> list[Values]:
        """As `OldDatabase.read`."""
        with self._named():
            return self._run(sql, values).fetchall()

    def write(self, sql: str, values: Values = ()) -> int:
        """As `OldDatabase.write`."""
        with self._named():
            return self._run(sql, values).rowcount

    def insert(self, table: str, key: str, row: Mapping[str, Any]) -> Any:
        """As `OldDatabase.insert`. A number that the database gives itself may be one of the row."""
        return self.read(insertion(table, key, row, "overriding system value"), tuple(row.values()))[0][0]

    def chosen(self, column: str) -> str:
        """The text of the column."""
        return f"{column}::text"

    def native(self, value: Any) -> Any:
        """The text from which the database makes a value of the column's own type."""
        if value is None or isinstance(value, str):
            return value
        return msgspec.json.encode(value).decode()

    def moment(self, at: datetime) -> str:
        """With the offset. A column without one takes the time of the zone."""
        return at.isoformat(" ")

    def encode(self, values: Values) -> str:
        """As `OldDatabase.encode`."""
        return msgspec.json.encode(values).decode()

    def decode(self, content: str) -> list[Any]:
        """As `OldDatabase.decode`."""
        return list(_json.decode(content))

    def copy_to(self, file: Path) -> None:
        """As `OldDatabase.copy_to`: by `pg_dump`, as of the moment of this transaction, and read to its end."""
        snapshot = str(self.read("select pg_export_snapshot()")[0][0])
        try:
            dump(self._url, file, snapshot)
            read_through(file)
        except OSError as error:
            raise StoreError(f"{file}: no backup was made: {error}") from error

    def settle_numbers(self, table: str, key: str) -> None:
        """As `OldDatabase.settle_numbers`."""
        sequence = self.read("select pg_get_serial_sequence(?, ?)", (quoted(table), key))[0][0]
        if sequence is not None:
            highest = f"select max({quoted(key)}) from {quoted(table)}"  # noqa: S608
            self.read(f"select setval(?, ({highest}))", (sequence,))

    def close(self) -> None:
        """As `OldDatabase.close`."""
        self._connection.close()

    def _run(self, sql: str, values: Values = ()) -> "psycopg.Cursor[Any]":
        return self._connection.execute(sql.replace("?", "%s").encode() if values else sql.encode(), values or None)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turns the driver's errors into a StoreError that names the database, and quotes no row."""
        try:
            yield
        except psycopg.Error as error:
            if error.sqlstate in _LOCKED:
                raise StoreError(IN_USE.format(shown=self.shown)) from None
            raise StoreError(f"{self.shown}: {translated(error)}. Nothing was changed") from None
