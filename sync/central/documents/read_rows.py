"""A file as a stream of checked rows, whatever its encoding and form."""

import io
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sync.central.documents.csv_rows import read_csv
from sync.central.documents.dates import iso_date, iso_moment
from sync.central.documents.encodings import find_encoding
from sync.central.documents.json_rows import read_json
from sync.central.documents.rows import MAX_ROW, BrokenDocument, DocumentRow, OtherKind
from sync.central.imports.outcomes import RefusedRow
from sync.central.imports.parts import Kind, read_part

STANDARD_INPUT = "-"
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_NO_DAY = "it is no date of the calendar, such as 2026-12-01"
_SPELLED: dict[str, tuple[Callable[[str], str | None], str]] = {
    "birth_date": (iso_date, "is no date of the calendar, such as 1958-03-02"),
    "scheduled_at": (iso_moment, "is no date and time with one meaning, such as 2026-12-01T09:00"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read. None, of `encoding` and `kind`: the file says it."""

    encoding: str | None = None
    kind: Kind | None = None
    ignored: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """An open file that can be read twice, its name for messages, and its size in bytes."""

    file: BinaryIO
    name: str
    size: int


@contextmanager
def open_source(path: str) -> Iterator[Source]:
    """Opens a file, or standard input for `-`. Raises OSError.

    What cannot be read twice is copied first into a file without a name, which ends with the process.
    """
    if path == STANDARD_INPUT:
        with tempfile.TemporaryFile() as copy:
            yield _copied(sys.stdin.buffer, copy, "standard input")
        return
    with Path(path).open("rb") as file:
        if file.seekable():
            yield Source(file, path, _size(file))
            return
        with tempfile.TemporaryFile() as copy:
            yield _copied(file, copy, path)


def _copied(stream: BinaryIO, copy: Any, name: str) -> Source:
    shutil.copyfileobj(stream, copy)
    return Source(copy, name, _size(copy))


def _size(file: BinaryIO) -> int:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A document that is being read: its encoding, its form and its rows."""

    encoding: str
    form: str
    rows: Iterator[DocumentRow]


def read_document(source: Source, reading: Reading) -> OpenDocument:
    """The rows of a file, each refused by itself where it cannot be taken as it stands.

    A file that begins with a bracket is JSON, any other is CSV. Raises BrokenDocument, at once or from the
    rows.
    """
    if not source.size:
        raise BrokenDocument(f"{source.name} is empty")
    encoding = find_encoding(source.file, source.name, reading.encoding)
    # The line ends stay as they are: those within a cell of CSV belong to its text.
    text = io.TextIOWrapper(source.file, encoding, newline="")
    beginning = text.read(4096).lstrip("\ufeff \t\r\n")[:1]
    text.seek(0)
    if beginning and beginning in "{[":
        if reading.kind is not None or reading.ignored:
            raise BrokenDocument(f"{source.name} is JSON: --kind and --ignore-column are for CSV")
        return OpenDocument(encoding, "JSON", map(_checked, read_json(text)))
    return OpenDocument(encoding, "CSV", map(_checked, read_csv(text, reading.kind, reading.ignored)))


def _checked(row: DocumentRow) -> DocumentRow:
    """The row with its dates in one form, refused where its fields are none of its kind."""
    if row.refused:
        return row
    fields: Any
    if isinstance(row.kind, OtherKind):
        fields = iso_date(row.fields) if isinstance(row.fields, str) else None
        refused = "" if fields else _NO_DAY
    else:
        fields, refused = _spelled(row.fields) if isinstance(row.fields, dict) else (row.fields, "")
        if not refused and isinstance(part := read_part(row.kind, fields), RefusedRow):
            refused = part.reason
    sent = "" if refused else _ENCODE(fields)
    if len(sent) > MAX_ROW:
        refused, sent = f"it is longer than {MAX_ROW} bytes", ""
    return DocumentRow(row.kind, row.line, fields, refused, sent)


def _spelled(fields: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The fields with their dates in one form, and why there is none, or an empty text."""
    for name, (read, otherwise) in _SPELLED.items():
        given = fields.get(name)
        if isinstance(given, str) and given:
            spelled = read(given)
            if spelled is None:
                return fields, f"{name} {otherwise}"
            fields[name] = spelled
    return fields, ""
