"""The rows of a document in JSON, read in a stream: {site, exams, patients, appointments, complete_days}."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

from sync.central.documents.rows import KINDS, BrokenDocument, DocumentRow, RowKind
from sync.central.imports.parts import Kind

_CHUNK = 64 * 1024  # characters
_LONGEST = 1024 * 1024  # characters of one row: where it cannot be read within them, the document is broken
_DIGITS = 18  # more of them are no number of a hospital
_NUMBER = re.compile(r"[-+.0-9eE]*")
_SPACE = re.compile(r"[ \t\n\r\ufeff]*")


def read_json(text: TextIO) -> Iterator[DocumentRow]:
    """The rows of a document, in its order. Raises BrokenDocument where the text is no document.

    The members come in any order. A member that is null is as one that is absent. The memory that this takes does not
    grow with the document.
    """
    stream = _JsonStream(text)
    stream.demand("{", "the document is no JSON object: it begins with a curly bracket")
    known = {str(kind): kind for kind in KINDS}
    if not stream.take("}"):
        while True:
            name = stream.value()
            if not isinstance(name, str) or name not in known:
                among = ", ".join(KINDS)
                stream.fail(f"unknown or repeated member {json.dumps(name)[:64]}: a document has each of {among} once")
            stream.demand(":", "a colon is missing")
            yield from _member(stream, known.pop(name))
            if not stream.take(","):
                break
        stream.demand("}", "a comma or the last curly bracket is missing")
    if stream.peek():
        stream.fail("there is more after the end of the document")


def _member(stream: "_JsonStream", kind: RowKind) -> Iterator[DocumentRow]:
    if kind is Kind.SITE or stream.peek() != "[":
        line = stream.line()
        value = stream.value()
        if value is None:
            return
        if kind is not Kind.SITE:
            stream.fail(f"{kind} is no list")
        yield _row(kind, line, value, stream.doubled)
        return
    stream.demand("[", "a list is missing")
    if stream.take("]"):
        return
    while True:
        stream.peek()
        line = stream.line()
        yield _row(kind, line, stream.value(), stream.doubled)
        if not stream.take(","):
            break
    stream.demand("]", "a comma or a square bracket is missing between two rows")


def _row(kind: RowKind, line: int, value: Any, doubled: str) -> DocumentRow:
    return DocumentRow(kind, line, value, f"{doubled} is given twice" if doubled else "")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


class _JsonStream:
    """A text of which a part at a time is held, with the place in it. Raises BrokenDocument where the text fails."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._buffer, self._at = "", 0
        self._line, self._column = 1, 1  # of the buffer's beginning
        self._counted = 0  # the place in the buffer of which `_line` and `_column` speak
        self.doubled = ""  # a name that an object in the last value bears twice
        # Control characters in a text are the fault of its row alone.
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_int=_integer, strict=False)

    def peek(self) -> str:
        """The next character that is no space; empty at the end of the text."""
        while True:
            space = _SPACE.match(self._buffer, self._at)
            assert space is not None
            self._at = space.end()
            if self._at < len(self._buffer) or not self._more():
                return self._buffer[self._at : self._at + 1]

    def take(self, character: str) -> bool:
        """Passes the next character where it is this one."""
        found = self.peek() == character
        self._at += found
        return found

    def demand(self, character: str, otherwise: str) -> None:
        """Passes the next character, which must be this one."""
        if not self.take(character):
            self.fail(otherwise)

    def line(self) -> int:
        """The line of the place in the text."""
        self._count(self._at)
        return self._line

    def value(self) -> Any:
        """Passes the next value."""
        self.peek()
        while True:
            self.doubled = ""
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError:
                self.fail("nested too deeply")
            except json.JSONDecodeError as error:
                if len(self._buffer) - self._at < _LONGEST and self._more():
                    continue
                self._fail_at(error)
            # What follows a value may be the rest of a number.
            if not self._may_go_on(end) or not self._more():
                self._at = end
                return value

    def fail(self, why: str) -> NoReturn:
        """Raises BrokenDocument for the place in the text."""
        self._count(self._at)
        end = "" if self._at < len(self._buffer) else ", at the end of the file"
        raise BrokenDocument(f"line {self._line}, column {self._column}{end}: {why}")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            self.doubled = next(name for name in names if names.count(name) > 1)[:64] or '""'
        return found

    def _may_go_on(self, end: int) -> bool:
        rest = _NUMBER.match(self._buffer, end)
        assert rest is not None
        return rest.end() == len(self._buffer)

    def _fail_at(self, error: json.JSONDecodeError) -> NoReturn:
        first = self.line()
        long = len(self._buffer) - self._at >= _LONGEST
        self._at = min(error.pos, len(self._buffer))
        if long:
            self.fail(f"not JSON within {_LONGEST} characters from line {first} on: {error.msg}")
        self.fail(f"not JSON: {error.msg}")

    def _more(self) -> bool:
        """Holds more of the text, twice as much where nothing was passed. Whether there was more."""
        more = self._text.read(max(_CHUNK, len(self._buffer) - self._at))
        if not more:
            return False
        self._count(self._at)
        self._buffer, self._at, self._counted = self._buffer[self._at :] + more, 0, 0
        return True

    def _count(self, until: int) -> None:
        passed = self._buffer.count("\n", self._counted, until)
        self._line += passed
        if passed:
            self._column = until - self._buffer.rfind("\n", self._counted, until)
        else:
            self._column += until - self._counted
        self._counted = until
