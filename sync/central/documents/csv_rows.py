"""The rows of a document in CSV: a header with the names of the fields, and a line for each row."""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from sync.central.documents.cells import COLUMNS, read_cell
from sync.central.documents.rows import BrokenDocument, DocumentRow
from sync.central.imports.parts import Kind

_DELIMITERS = ",;\t"
_LONGEST = 1024 * 1024  # characters of one line
_MARK = "sep="  # a first line of Excel, which names the delimiter


@dataclass(frozen=True, slots=True)
class _Table:
    """The header of a file: the kind of its rows, and the field of each column, None for one that is ignored.

    `nameless` are the columns, counted from 0, that the header leaves empty. Their cells have to be empty too.
    """

    kind: Kind
    fields: Sequence[str | None]
    nameless: Sequence[int]


def read_csv(text: TextIO, kind: Kind | None = None, ignored: Collection[str] = ()) -> Iterator[DocumentRow]:
    """The rows of a CSV file, in its order. `text` keeps its line ends.

    `kind` is the kind of the rows; None: the header says it. `ignored` are names of columns to leave out. Raises
    BrokenDocument where the header is none.
    """
    lines = _CountedLines(text)
    header = next(lines, "").lstrip("\ufeff")
    delimiter = None
    if header.lower().startswith(_MARK):
        delimiter, header = header.rstrip("\r\n")[len(_MARK) :], next(lines, "")
    names, delimiter = _names(header, delimiter, ignored)
    found = kind or _kind_of(names)
    nameless = [] if "" in ignored else [number for number, name in enumerate(names) if not name]
    yield from _rows(lines, _Table(found, _fields(found, names, ignored), nameless), delimiter)


def _rows(lines: "_CountedLines", table: _Table, delimiter: str) -> Iterator[DocumentRow]:
    # Strict: a quote in the middle of a cell is a fault of its row, and never guessed at.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = lines.passed + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield DocumentRow(table.kind, first, {}, f"no row of CSV: {error}{_until(first, lines.passed)}")
            continue
        if any(cell.strip() for cell in cells):
            yield _row(table, first, lines.passed, cells)


def _row(table: _Table, first: int, last: int, cells: Sequence[str]) -> DocumentRow:
    if len(cells) != len(table.fields):
        reason = f"it has {len(cells)} cell{'s' * (len(cells) != 1)}, and the header has {len(table.fields)}"
        # No cell can be trusted to stand under its name, not even the id.
        return DocumentRow(table.kind, first, {}, reason + _until(first, last))
    stray = next((number for number in table.nameless if cells[number].strip()), None)
    if stray is not None:
        return DocumentRow(table.kind, first, {}, f"column {stray + 1} has no name{_until(first, last)}")
    fields: dict[str, Any] = {}
    refused = ""
    for name, cell in zip(table.fields, cells, strict=True):
        value = read_cell(table.kind, name, cell) if name is not None else {}
        if isinstance(value, ValueError):
            refused = refused or f"{name} {value}{_until(first, last)}"
        else:
            fields.update(value)
    return DocumentRow(table.kind, first, fields, refused)


def _until(first: int, last: int) -> str:
    return f"; its quotes reach to line {last}" if last > first else ""


def _names(header: str, delimiter: str | None, ignored: Collection[str]) -> tuple[list[str], str]:
    """The names in a header, and its delimiter: the one under which most of them are known."""
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise BrokenDocument(f"line 1: {_MARK} names no delimiter")
    known = {name for columns in COLUMNS.values() for name in columns} | {_plain(name) for name in ignored}
    split = {each: _cells(header, each) for each in (delimiter or _DELIMITERS)}
    best = max(split, key=lambda each: (sum(name in known for name in split[each]), len(split[each])))
    return split[best], best


def _cells(header: str, delimiter: str) -> list[str]:
    try:
        return [_plain(name) for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _plain(name: str) -> str:
    return "_".join(name.strip().lower().split())


def _kind_of(names: Iterable[str]) -> Kind:
    """The kind whose own id is in the header. The id of an appointment stands beside those of patient and exam."""
    present = set(names)
    for kind in (Kind.APPOINTMENT, Kind.PATIENT, Kind.EXAM):
        if next(iter(COLUMNS[kind])) in present:
            return kind
    ids = ", ".join(next(iter(columns)) for columns in COLUMNS.values())
    raise BrokenDocument(f"line 1: the header names none of {ids}. A file in JSON begins with a curly bracket")


def _fields(kind: Kind, names: Sequence[str], ignored: Collection[str]) -> list[str | None]:
    columns = COLUMNS[kind]
    own = next(iter(columns))
    if own not in names:  # said first: a first line that is no header may hold a patient's name
        raise BrokenDocument(f"line 1: the column {own} is missing")
    left_out = {"", *(_plain(name) for name in ignored)}
    for number, name in enumerate(names, 1):
        if name not in columns and name not in left_out:
            raise BrokenDocument(
                f"line 1: column {number}, {name[:64]!r}, is no field of {kind}: {', '.join(columns)}."
                " --ignore-column leaves a column out"
            )
        if name in columns and names.index(name) != number - 1:
            raise BrokenDocument(f"line 1: the column {name} comes twice")
    return [name if name in columns and name not in left_out else None for name in names]


class _CountedLines:
    """The lines of a text, and how many of them were read."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.passed = 0

    def __iter__(self) -> "_CountedLines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(_LONGEST)
        if not line:
            raise StopIteration
        self.passed += 1
        if len(line) == _LONGEST:
            raise BrokenDocument(f"line {self.passed} is longer than {_LONGEST} characters")
        return line
