"""A row of a document, as it was read: its kind, its line and its fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sync.central.imports.parts import Kind

MAX_ROW = 64 * 1024  # bytes of a row's fields as JSON


class OtherKind(StrEnum):
    """The kinds of rows that no table takes."""

    COMPLETE_DAY = "complete_days"


RowKind = Kind | OtherKind
KINDS: tuple[RowKind, ...] = (*Kind, *OtherKind)
ID_FIELDS: Mapping[RowKind, str] = {
    Kind.EXAM: "exam_id",
    Kind.PATIENT: "patient_id",
    Kind.APPOINTMENT: "appointment_id",
}


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A row of a document. `line` is the line on which it begins, counted from 1.

    `refused` says in English why the row cannot be read; empty for a row that can. `sent` are the fields of a row that
    was checked, as JSON in ASCII.
    """

    kind: RowKind
    line: int
    fields: Any = field(repr=False)
    refused: str = ""
    sent: str = field(default="", repr=False)


class BrokenDocument(Exception):
    """The file is no document: from some place on it cannot be read. The message says where and why."""
