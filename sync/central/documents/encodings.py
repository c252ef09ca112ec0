"""The encoding of a file, found by its bytes."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sync.central.documents.rows import BrokenDocument

CHUNK = 256 * 1024  # bytes
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins the same way
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_FILES = (
    (b"PK\x03\x04", "a workbook or an archive"),
    (b"\xd0\xcf\x11\xe0", "a workbook of an older kind"),
    (b"\x1f\x8b", "compressed"),
    (b"%PDF", "a PDF"),
)
_KOREAN = "cp949"  # EUC-KR is a part of it
_ZEROS_OF_UTF16 = (
    32  # One byte of so many is a zero in any text with braces and quotes. A stray one is its row's fault.
)
_SURELY_UTF8 = 3  # So many characters of three bytes come by chance in no file of CP949.


@dataclass(frozen=True, slots=True)
class _Fault:
    """Where the bytes of a file are no text: the offset in bytes, and the long characters before it."""

    offset: int
    long_characters: int


def find_encoding(file: BinaryIO, name: str, named: str | None) -> str:
    """The encoding of a file: `named` where it is given, else UTF-8, UTF-16 or CP949, by a look at every byte.

    The file is at its beginning before and after. `name` is what messages call it. Raises BrokenDocument where the
    bytes are no text in the encoding.
    """
    start = file.read(64 * 1024)
    file.seek(0)
    for signature, what in _OTHER_FILES:
        if start.startswith(signature):
            raise BrokenDocument(f"{name} is {what}: export it as CSV or JSON")
    if named is not None:
        encoding = _with_mark(_known(named), start)
        if fault := _first_fault(file, encoding):
            raise BrokenDocument(f"{name} is no {named}: the byte at offset {fault.offset} does not fit")
        return encoding
    marked = next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)
    if marked is not None or start.count(0) * _ZEROS_OF_UTF16 > len(start):
        encoding = marked or _order(start)
        if fault := _first_fault(file, encoding):
            raise _unknown(name, f"it is no {encoding.upper()} from the byte at offset {fault.offset} on")
        return encoding
    return _without_mark(file, name)


def _without_mark(file: BinaryIO, name: str) -> str:
    utf8 = _first_fault(file, "utf-8")
    if utf8 is None:
        return "utf-8"
    if utf8.long_characters >= _SURELY_UTF8:
        raise _unknown(name, f"it begins as UTF-8, and the byte at offset {utf8.offset} does not fit")
    korean = _first_fault(file, _KOREAN)
    if korean is None:
        return _KOREAN
    raise _unknown(name, f"it is no UTF-8 (offset {utf8.offset}) and no CP949 (offset {korean.offset})")


def _unknown(name: str, why: str) -> BrokenDocument:
    return BrokenDocument(f"the encoding of {name} is not known: {why}. Name it with --encoding")


def _known(named: str) -> str:
    try:
        found = codecs.lookup(named)
        "".encode(found.name)  # refuses a codec that makes no text of bytes
    except (LookupError, ValueError) as error:
        raise BrokenDocument(f"there is no encoding {named}: such as utf-8, utf-16 or cp949") from error
    return found.name


def _with_mark(encoding: str, start: bytes) -> str:
    """The encoding that passes over the mark at the beginning of a file."""
    if encoding == "utf-8" and start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if encoding in {"utf-16-le", "utf-16-be"} and start.startswith("\ufeff".encode(encoding)):
        return "utf-16"
    if encoding == "utf-16" and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _order(start)
    return encoding


def _order(start: bytes) -> str:
    """The byte order of UTF-16 without a mark: braces, quotes and commas have their zero first or last."""
    return "utf-16-le" if start[1::2].count(0) >= start[0::2].count(0) else "utf-16-be"


def _first_fault(file: BinaryIO, encoding: str) -> _Fault | None:
    """Where the bytes of a file are no text in an encoding; None where all of them are. Rewinds the file."""
    decoder, passed, long_characters = codecs.getincrementaldecoder(encoding)(), 0, 0
    try:
        for chunk in _chunks(file):
            held = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                long_characters += _long(error.object[: error.start], encoding)
                return _Fault(passed - held + error.start, long_characters)
            except UnicodeError:  # UTF-16 that was named, and has no mark
                return _Fault(passed, long_characters)
            if long_characters < _SURELY_UTF8 and not text.isascii():
                long_characters += sum(each > "\u07ff" for each in text)
            passed += len(chunk)
    finally:
        file.seek(0)
    return None


def _long(before: bytes, encoding: str) -> int:
    return sum(each > "\u07ff" for each in before.decode(encoding, "ignore"))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file, and an empty chunk at its end."""
    while chunk := file.read(CHUNK):
        yield chunk
    yield b""
