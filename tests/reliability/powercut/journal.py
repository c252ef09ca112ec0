"""The journal that `watched_disk.c` keeps, as events with a name for each file that outlives its inode's number."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

RECORD = struct.Struct("=IiQQQ")


class Kind(IntEnum):
    """What happened."""

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
    """One call that went through, or a sync that failed (`error` is its errno).

    `file` counts the files as they were created, from 1; 0 where the event is of the directory alone. `offset` is
    where a write began, or the size after a truncation; `payload` what was written, the name, or the mark.
    """

    kind: Kind
    error: int
    file: int
    offset: int
    payload: bytes


def read(path: Path) -> list[Event]:
    """Every event in order. Raises ValueError where the journal is short, or tells of a file it never saw made."""
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
            files[inode] = max(files.values()) + 1  # the number of a file that is gone may come again
        if inode not in files:
            raise ValueError("the journal tells of a file that it never saw made")
        yield Event(Kind(kind), error, files[inode], offset, payload)
