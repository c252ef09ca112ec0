"""Hears of every statement that the connections of SQLite run, which are opened meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Note = Callable[[bool, str, Any], None]  # whether it runs for each row of parameters; its text; its parameters


@contextmanager
def recording(note: Note) -> Iterator[None]:
    """Calls `note` before each statement of a connection that is opened while the context is open."""
    plain = sqlite3.connect

    def connect(*words: Any, factory: type[sqlite3.Connection] = sqlite3.Connection, **options: Any) -> Any:
        return plain(*words, factory=_noting(factory, note), **options)

    sqlite3.connect = connect
    try:
        yield
    finally:
        sqlite3.connect = plain


def _noting(kind: type[Any], note: Note) -> type[sqlite3.Connection]:
    class Noting(kind):  # type: ignore[misc]
        def execute(self, sql: str, parameters: Any = ()) -> Any:
            note(False, sql, parameters)
            return super().execute(sql, parameters)

        def executemany(self, sql: str, parameters: Any) -> Any:
            rows = list(parameters)
            note(True, sql, rows)
            return super().executemany(sql, rows)

    return Noting
