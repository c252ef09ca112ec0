"""The journal of `watched_disk.c`, as events. Each file has a number of its own, since inode numbers are used again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

RECORD = struct.Struct("=IiQQQ")


class Kind(IntEnum):
    """The kind of an event."""

    CREATED = 1
    WRITTEN = 2
    TRUNCATED = 3
    SYNCED = 4
    RENAMED = 5
    UNLINKED = 6
    DIRECTORY_SYNCED = 7
    MARKED = 8


@dataclass(frozen=True, slots=True)
class Event:
    """A call that succeeded, or a sync that failed (`error` is its errno).

    `file` counts the files in the order of their creation, from 1; 0 stands for the directory. `offset` is the start of
    a write, or the size after a truncation. `payload` holds the written bytes, the name or the mark.
    """

    kind: Kind
    error: int
    file: int
    offset: int
    payload: bytes


def read(path: Path) -> list[Event]:
    """All events in order. Raises ValueError where the journal is cut short, or names a file that was never created."""
    return list(_events(path.read_bytes()))


def _events(data: bytes) -> Iterator[Event]:
    files: dict[int, int] = {0: 0}
    position = 0
    while position < len(data):
        if position + RECORD.size > len(data):
            raise ValueError("the journal ends within a record")
        kind, error, inode, offset, length = RECORD.unpack_from(data, position)
        position += RECORD.size
        payload = data[position : position + length]
        position += length
        if position > len(data):
            raise ValueError("the journal ends within a record")
        if kind == Kind.CREATED:
            files[inode] = max(files.values()) + 1  # a later file may get the inode of a deleted one
        if inode not in files:
            raise ValueError("the journal names a file without an event of its creation")
        yield Event(Kind(kind), error, files[inode], offset, payload)
