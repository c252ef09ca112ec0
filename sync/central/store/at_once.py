"""Many rows in one step of the database.

SQLite's driver gives the interpreter's lock away before each row, and waits for it again after it. Beside busy threads
that wait is longer than the reading of the row. So SQLite makes one JSON text of all rows. A driver of PostgreSQL
brings them at once anyway: there, `db.execute()` takes the place of this function.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from sync.central.store.transactions import ReadTransaction


def rows_at_once(db: ReadTransaction, sql: str, width: int, parameters: Mapping[str, object]) -> list[list[Any]]:
    """The rows of a query with so many columns, texts and numbers alone. They come in any order."""
    found: list[list[Any]] = msgspec.json.decode(db.execute(_in_one(sql, width), parameters).fetchone()[0])
    return found


@lru_cache(maxsize=256)
def _in_one(sql: str, width: int) -> str:
    columns = ", ".join(f"c{number}" for number in range(width))
    return f"with t ({columns}) as ({sql}) select json_group_array(json_array({columns})) from t"  # noqa: S608
