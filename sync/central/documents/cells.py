"""The columns of a CSV file: a column for each field of a row, and the cell of a column as a value."""

import re
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, get_args

import msgspec

from sync.central.imports.parts import FIELDS, PARTS, Kind
from sync.central.imports.reasons import NO_MINUTES

COLUMNS: Mapping[Kind, tuple[str, ...]] = {kind: FIELDS[kind] for kind in (Kind.EXAM, Kind.PATIENT, Kind.APPOINTMENT)}
_REMOVABLE: Mapping[Kind, frozenset[str]] = {
    kind: frozenset(field.name for field in msgspec.structs.fields(part) if NoneType in get_args(field.type))
    for kind, part in PARTS.items()
}
_YES = frozenset({"true", "1", "yes", "y"})
_NO = frozenset({"false", "0", "no", "n"})


def read_cell(kind: Kind, name: str, cell: str) -> dict[str, Any] | ValueError:
    """The field of a cell: null for an empty cell of a field that can be removed, no field for any other empty cell.

    A ValueError says in English what is wrong with the cell, without its text.
    """
    if not cell.strip():
        return {name: None} if name in _REMOVABLE[kind] else {}
    try:
        return {name: _READ.get(name, str)(cell)}
    except ValueError as error:
        return error


def _cards(cell: str) -> list[str]:
    return [card for card in re.split(r"[;\s]+", cell) if card]


def _minutes(cell: str) -> int:
    if not re.fullmatch(r"\d{1,4}", cell.strip(), re.ASCII):
        raise ValueError(NO_MINUTES)
    return int(cell)


def _overnight(cell: str) -> bool:
    word = cell.strip().lower()
    if word not in _YES | _NO:
        raise ValueError("is none of true, false, 1, 0, yes, no, Y, N")
    return word in _YES


_READ: Mapping[str, Callable[[str], Any]] = {"cards": _cards, "minutes": _minutes, "overnight": _overnight}
