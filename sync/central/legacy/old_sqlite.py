"""A database of the old system in a file of SQLite. Values keep their very types: a text may be no UTF-8."""

import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sync.central.legacy.old_database import IN_USE, PORTION, Values, insertion, quoted
from sync.central.store.errors import IN_WORDS, StoreError, Trouble, trouble_of
from sync.central.store.place import database_path

_PATIENCE_S = 5.0
_json = msgspec.json.Decoder(list[Any])


class _NoText(bytes):
    """The bytes of a text that is no UTF-8."""


class OldSqlite:
    """The open file."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._path = database_path(url)
        self.shown = str(self._path)
        if not self._path.is_file():
            raise StoreError(f"{self.shown}: there is no such file")
        with self._named():
            self._connection = _connect(self._path, "ro" if read_only else "rw")
            self._connection.execute("pragma foreign_keys=on")

    def columns(self, table: str) -> Mapping[str, str]:
        """As `OldDatabase.columns`."""
        return {name: declared.lower() for name, declared, _ in self._information(table)}

    def demanded(self, table: str) -> Sequence[str]:
        """As `OldDatabase.demanded`."""
        return [name for name, _, is_demanded in self._information(table) if is_demanded]

    def _information(self, table: str) -> list[Values]:
        schema, _, name = table.rpartition(".")
        return self.read(f"select {_INFORMATION} from pragma_table_info(?, ?)", (name, schema or "main"))  # noqa: S608

    @contextmanager
    def held(self, tables: Sequence[str], *, writes: bool) -> Iterator[None]:  # noqa: ARG002 the lock is on the file
        """As `OldDatabase.held`."""
        with self._named():
            self._connection.execute("pragma query_only=off")  # under it no lock can be taken
            self._connection.execute("begin immediate")
            self._connection.execute(f"pragma query_only={'off' if writes else 'on'}")
        try:
            yield
            with self._named():
                self._connection.execute("commit" if writes else "rollback")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise

    def count(self, table: str) -> int:
        """As `OldDatabase.count`."""
        return int(self.read(f"select count(*) from {quoted(table)}")[0][0])  # noqa: S608

    def rows(self, sql: str) -> Iterator[Values]:
        """As `OldDatabase.rows`."""
        with self._named():
            cursor = self._connection.execute(sql)
            while portion := cursor.fetchmany(PORTION):
                yield from portion

    def read(self, sql: str, values: Values = ()) -> list[Values]:
        """As `OldDatabase.read`."""
        with self._named():
            return self._connection.execute(*_bound(sql, values)).fetchall()

    def write(self, sql: str, values: Values = ()) -> int:
        """As `OldDatabase.write`."""
        with self._named():
            return self._connection.execute(*_bound(sql, values)).rowcount

    def insert(self, table: str, key: str, row: Mapping[str, Any]) -> Any:
        """As `OldDatabase.insert`."""
        return self.read(insertion(table, key, row), tuple(row.values()))[0][0]

    def chosen(self, column: str) -> str:
        """The column itself: every value keeps its type."""
        return column

    def native(self, value: Any) -> Any:
        """The value; a JSON object as text."""
        return msgspec.json.encode(value).decode() if isinstance(value, dict) else value

    def moment(self, at: datetime) -> str:
        """Without an offset, as Django writes it."""
        return at.strftime("%Y-%m-%d %H:%M:%S.%f")

    def encode(self, values: Values) -> str:
        """As `OldDatabase.encode`: what JSON does not know stands in an object of one member."""
        return msgspec.json.encode([_plain(value) for value in values]).decode()

    def decode(self, content: str) -> list[Any]:
        """As `OldDatabase.decode`."""
        return [_value(*each.popitem()) if isinstance(each, dict) else each for each in _json.decode(content)]

    def copy_to(self, file: Path) -> None:
        """As `OldDatabase.copy_to`: by SQLite's own means, and every page is checked."""
        with self._named(), closing(_connect(self._path, "ro")) as source, closing(sqlite3.connect(file)) as copy:
            source.backup(copy)
            fault = copy.execute("pragma integrity_check(1)").fetchone()[0]
            if fault != "ok":
                raise StoreError(f"{file}: the copy is damaged, as {self.shown} may be: {fault}")

    def settle_numbers(self, table: str, key: str) -> None:
        """Does nothing: SQLite goes on above the highest number."""

    def close(self) -> None:
        """As `OldDatabase.close`."""
        self._connection.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turns the driver's errors into a StoreError that names the file, and quotes no row."""
        try:
            yield
        # A message about a damaged file may be no UTF-8: that is the ValueError.
        except (sqlite3.Error, ValueError) as error:
            code = getattr(error, "sqlite_errorcode", None)
            trouble = trouble_of(error) if code is not None and isinstance(error, sqlite3.Error) else None
            if trouble is Trouble.BUSY and code is not None and code & 0xFF in _LOCKED:
                raise StoreError(IN_USE.format(shown=self.shown)) from error
            words = IN_WORDS[trouble].replace("of the centre", "there") if trouble in _OF_THE_DISK else str(error)
            raise StoreError(f"{self.shown}: {words}. Nothing was changed") from error


_INFORMATION = 'name, type, "notnull" = 1 and dflt_value is null and pk = 0'
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_OF_THE_DISK = (Trouble.DISK_FULL, Trouble.READ_ONLY, Trouble.DISK_FAILS)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    made = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_PATIENCE_S, isolation_level=None
    )
    made.text_factory = _text
    return made


def _text(raw: bytes) -> str | _NoText:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _NoText(raw)


def _bound(sql: str, values: Values) -> tuple[str, Values]:
    """The statement with its values. A text that is no UTF-8 is bound as bytes, and is a text again in the database."""
    if not any(isinstance(value, _NoText) for value in values):
        return sql, values
    parts = iter(sql.split("?"))
    places = ("cast(? as text)" if isinstance(value, _NoText) else "?" for value in values)
    return next(parts) + "".join(place + part for place, part in zip(places, parts, strict=True)), values


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, bytes):
        return {"text" if isinstance(value, _NoText) else "bytes": b64encode(value).decode()}
    return value


def _value(kind: str, written: str) -> Any:
    return float.fromhex(written) if kind == "float" else {"text": _NoText, "bytes": bytes}[kind](b64decode(written))
