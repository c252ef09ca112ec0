"""A copy of a damaged store that SQLite can open: the log applied, the length whole, the list of the tables sound.

SQLite refuses a file whole where its first page is damaged, or where it is shorter than that page says. The other pages
are still good then. The layout is that of sqlite.org/fileformat2.html, 1 and 4.
"""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from kiosk.store.migrate import migrate
from sync.database_file import log_of
from sync.replacement import beside

_PAGE = 4096  # SQLite's default, which the store keeps
_LOG_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">6I")
_MAGIC, _BIG_ENDIAN = 0x377F0682, 1
_LEAF = 13  # the first byte of a page with rows of a table
_VERSIONS, _PAGE_COUNT = slice(18, 20), slice(28, 32)  # in the header of the database


def copy_readable(database: Path, copy: Path) -> None:
    """Writes the pages of a damaged, closed store into `copy`, so that SQLite opens it. Raises OSError, sqlite3.Error.

    The copy is not durable. A file beside it serves meanwhile.
    """
    pages = bytearray(database.read_bytes())
    _apply_log(pages, log_of(database))
    pages[_VERSIONS] = b"\x01\x01"  # without a log, so that no file beside the copy is needed
    copy.write_bytes(pages)
    if not _has_list(copy):
        copy.write_bytes(_with_new_list(pages, beside(copy, "-new")))


def single_leaves(copy: Path, place: Path) -> Iterator[sqlite3.Connection]:
    """Shows each leaf of each table as the whole outbox, so that no damaged page on the way to it is read.

    The rows of other tables have too few columns, and are no actions. `place` is a file for the work, which holds the
    last leaf at the end.
    """
    pages, root = bytearray(copy.read_bytes()), _root_of_outbox(copy)
    for start in range(_PAGE, len(pages), _PAGE):
        if pages[start] != _LEAF or not root:
            continue
        leaf, pages[root] = pages[root], pages[start : start + _PAGE]
        place.write_bytes(pages)
        pages[root] = leaf
        with closing(sqlite3.connect(place)) as db:
            yield db


def _apply_log(pages: bytearray, log: Path) -> None:
    """Writes the committed pages of a log into the pages of its database, up to the first damaged frame."""
    if not log.exists():
        return
    pending: dict[int, bytes] = {}
    for number, size, page in _frames(log.read_bytes()):
        pending[number] = page
        if size:  # the frame ends a commit, and tells the pages of the database then
            for each, content in pending.items():
                _put(pages, each, content)
            pending.clear()


def _frames(log: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The sound frames of a log: the number of the page, the size of the database after a commit or 0, the page."""
    if len(log) < _LOG_HEADER.size:
        return
    magic, _, page_size, _, *salts, first, second = _LOG_HEADER.unpack_from(log)
    if magic & ~_BIG_ENDIAN != _MAGIC or page_size != _PAGE:
        return
    order = ">" if magic & _BIG_ENDIAN else "<"
    sums = _checksum((0, 0), log[: _LOG_HEADER.size - 8], order)
    place = _LOG_HEADER.size
    while sums == (first, second) and place + _FRAME_HEADER.size + _PAGE <= len(log):
        number, size, *frame_salts, first, second = _FRAME_HEADER.unpack_from(log, place)
        page = log[place + _FRAME_HEADER.size : place + _FRAME_HEADER.size + _PAGE]
        sums = _checksum(_checksum(sums, log[place : place + 8], order), page, order)
        if frame_salts != salts or sums != (first, second):
            return
        yield number, size, page
        place += _FRAME_HEADER.size + _PAGE


def _checksum(sums: tuple[int, int], data: bytes, order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second


def _put(pages: bytearray, number: int, content: bytes) -> None:
    place = (number - 1) * _PAGE
    pages.extend(bytes(max(0, place + _PAGE - len(pages))))
    pages[place : place + _PAGE] = content


def _has_list(copy: Path) -> bool:
    """Whether the list of the tables can be read."""
    with closing(sqlite3.connect(copy)) as db:
        try:
            return len(db.execute("select sql from sqlite_master where name in ('outbox', 'identity')").fetchall()) == 2
        except (sqlite3.Error, ValueError):
            return False


def _root_of_outbox(copy: Path) -> slice | None:
    with closing(sqlite3.connect(copy)) as db:
        try:
            (root,) = db.execute("select rootpage from sqlite_master where name = 'outbox'").fetchone()
        except (sqlite3.Error, ValueError, TypeError):
            return None
    return slice((root - 1) * _PAGE, root * _PAGE)


def _with_new_list(pages: bytearray, place: Path) -> bytes:
    """The pages with the list of a new store, whose tables begin at the same pages."""
    place.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(place, isolation_level=None)) as db:
            migrate(db)
            roots = {row[0] for row in db.execute("select rootpage from sqlite_master")}
        new = place.read_bytes()
    finally:
        place.unlink(missing_ok=True)
    mended = pages[:]
    for number in range(1, len(new) // _PAGE + 1):
        if number not in roots or number * _PAGE > len(pages):
            _put(mended, number, new[(number - 1) * _PAGE : number * _PAGE])
    mended.extend(bytes(-len(mended) % _PAGE))
    mended[_VERSIONS] = b"\x01\x01"
    mended[_PAGE_COUNT] = (len(mended) // _PAGE).to_bytes(4, "big")
    return bytes(mended)
