"""The layout of an old database: its tables and columns, and its names of states. `layout.toml` has Django's own."""

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import msgspec
from msgspec.structs import replace

from sync.central.store.errors import StoreError

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)?")  # a schema may stand before the name of a table
_LONGEST = 63  # of a name in PostgreSQL


class Kind(StrEnum):
    """A kind of row of the old system, in the order in which they are taken: a row refers to those before it."""

    APPOINTMENT = "appointment"
    QUEUE = "queue"
    PATIENT = "patient"
    TRANSITION = "transition"
    LOG = "log"


# The columns without which a table cannot be read.
REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    Kind.APPOINTMENT: ("id", "user", "exam", "time", "state"),
    Kind.QUEUE: ("id", "user", "exam", "state"),
    Kind.PATIENT: ("user", "state"),
    Kind.TRANSITION: ("user", "from", "to"),
    Kind.LOG: ("queue", "from", "to"),
}
# The columns that hold names of states, and whose states these are.
STATES: Mapping[Kind, Mapping[str, str]] = {
    Kind.APPOINTMENT: {"state": "appointment"},
    Kind.QUEUE: {"state": "queue"},
    Kind.PATIENT: {"state": "journey"},
    Kind.TRANSITION: {"from": "journey", "to": "journey"},
    Kind.LOG: {"from": "queue", "to": "queue"},
}


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table: its name, the column that tells its rows apart, its columns by what they hold, and the values of
    other columns in a row that the way back adds."""

    table: str
    key: str
    columns: dict[str, str]
    new: dict[str, Any] = {}


class Lookup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table that the others refer to by `key`, and its column `id` with the id that this centre knows."""

    table: str
    key: str
    id: str
    new: dict[str, Any] = {}


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The layout; `layout.toml` explains each member."""

    zone: str
    states: dict[str, dict[str, str]]
    users: Lookup
    exams: Lookup
    tables: dict[Kind, Table]

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of rows that the old system has, in their order."""
        return tuple(kind for kind in Kind if self.tables[kind].table)

    def ours(self, kind: str, name: str) -> str:
        """The name here of an old state of a journey, of the queue or of an appointment."""
        return self.states.get(kind, {}).get(name, name)

    def old(self, kind: str, name: str) -> str:
        """The old name of a state of this centre: the first one that means it."""
        return next((old for old, ours in self.states.get(kind, {}).items() if ours == name), name)


def shipped_text() -> str:
    """The text of `layout.toml`."""
    return files(__package__).joinpath("layout.toml").read_text("utf-8")


def read_layout(path: Path | None) -> Layout:
    """Django's own layout, with what a file says otherwise. Raises StoreError."""
    document = tomllib.loads(shipped_text())
    try:
        given = tomllib.loads(path.read_text("utf-8")) if path else {}
        layout = msgspec.convert(_laid_over(document, given), Layout)
        _demand_names(layout)
    except (OSError, UnicodeError, ValueError) as error:
        raise StoreError(f"{path}: no usable layout: {error}") from error
    return layout


def with_new_values(layout: Layout, given: Layout) -> Layout:
    """A layout with another one's values for the rows that the way back adds."""
    tables = {kind: replace(table, new=given.tables[kind].new) for kind, table in layout.tables.items()}
    return replace(layout, tables=tables, users=replace(layout.users, new=given.users.new))


def _laid_over(below: Any, above: Any) -> Any:
    """A table of TOML with the values of another one laid over it, at any depth."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _laid_over(below.get(key), value) for key, value in above.items()}


def _demand_names(layout: Layout) -> None:
    """Raises ValueError where a name could not be that of a zone, a table or a column."""
    if layout.zone not in available_timezones():
        raise ValueError(f"zone {layout.zone} is no time zone")
    named: list[Table | Lookup] = [layout.users, layout.exams, *layout.tables.values()]
    columns = [name for each in layout.tables.values() for name in (*each.columns.values(), *each.new)]
    for name in (*(each.table for each in named), *(each.key for each in named), *columns, *layout.users.new):
        if name and (not _NAME.fullmatch(name) or any(len(part) > _LONGEST for part in name.split("."))):
            raise ValueError(f"{name!r} is no name of a table or a column")
    for kind, required in REQUIRED.items():
        missing = [each for each in required if not layout.tables[kind].columns.get(each)]
        if layout.tables[kind].table and missing:
            raise ValueError(f"tables.{kind}.columns names no column for {', '.join(missing)}")
