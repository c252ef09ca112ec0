"""The tables of the schema with their primary keys, in an order in which each row finds the rows that it refers to."""

import re
from dataclasses import dataclass

from sync.central.store.schema import MIGRATIONS

_NAME = re.compile(r"create table (\w+)")
_COMMENT = re.compile(r"--.*")
_KEY_OF_COLUMN = re.compile(r"^\s*(\w+) [^,\n]*primary key", re.MULTILINE)
_KEY_OF_TABLE = re.compile(r"^\s*primary key \(([^)]*)\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Table:
    """A table and the columns of its primary key, in their order."""

    name: str
    key: tuple[str, ...]


def tables() -> tuple[Table, ...]:
    """All tables of the newest schema. A table refers to tables before it alone."""
    statements = [each for version in MIGRATIONS for each in version]
    return tuple(Table(found[1], _key(each)) for each in statements if (found := _NAME.match(each)))


def _key(statement: str) -> tuple[str, ...]:
    bare = _COMMENT.sub("", statement)
    columns = _KEY_OF_TABLE.findall(bare) or _KEY_OF_COLUMN.findall(bare)
    return tuple(columns[0].split(", "))
