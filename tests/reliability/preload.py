"""Compiles `watched_disk.c`, starts processes on top of it, and arms its faults."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import struct
import subprocess
from enum import IntFlag
from pathlib import Path

from tests.components import demand

SOURCE = Path(__file__).with_name("watched_disk.c")


class Call(IntFlag):
    """The calls that can be made to fail."""

    WRITE = 1
    SYNC = 2
    TRUNCATE = 4
    UNLINK = 8
    OPEN = 16
    READ = 32


def build(directory: Path) -> Path:
    """The compiled library in that directory."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    demand(compiler is not None, "a C compiler")
    made = directory / "watched_disk.so"
    command = [str(compiler), "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(made), str(SOURCE)]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return made


def environment(
    library: Path, watched: Path, journal: Path | None = None, faults: Path | None = None
) -> dict[str, str]:
    """The environment of a process whose files beneath `watched` are."""
    names = {"LD_PRELOAD": library, "DISK_WATCHED": watched.resolve(), "DISK_JOURNAL": journal, "DISK_FAULTS": faults}
    return os.environ | {name: str(value) for name, value in names.items() if value}


def in_memory() -> Path | None:
    """A place where a sync costs nothing: what is cut here is a journal, so the real disk need not work for it."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else None


def mark(text: str) -> None:
    """Says something into the journal of this very process, between what it wrote before and what comes after."""
    data = text.encode()
    ctypes.CDLL(None).disk_mark(data, ctypes.c_size_t(len(data)))


class Faults:
    """The switchboard of a process's disk, shared with it: which call fails, when, and how."""

    _LAYOUT = struct.Struct("=IIiIIIqQQ")  # struct faults
    _ARMED, _COUNTS = struct.Struct("=IIiIIIq"), struct.Struct("=QQ")

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it. It must be there when the process starts."""
        if not path.exists():
            path.write_bytes(bytes(self._LAYOUT.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), self._LAYOUT.size)

    def arm(self, calls: Call, countdown: int, error: int, *, lasting: bool = False, halfway: bool = False) -> None:
        """The `countdown`-th of these calls fails with that errno; `lasting`: and every one after it; `halfway`: a
        write that fails has written the first half of its bytes."""
        self._ARMED.pack_into(self._map, 0, 0, calls, error, lasting, halfway, 0, countdown)
        self._map[0:4] = (1).to_bytes(4, "little")

    def clear(self) -> None:
        """The disk is well again."""
        self._map[0:4] = bytes(4)

    @property
    def seen(self) -> int:
        """How many calls of the armed kinds there have been since the start."""
        return int(self._COUNTS.unpack_from(self._map, self._ARMED.size)[0])

    @property
    def struck(self) -> int:
        """How many of them failed."""
        return int(self._COUNTS.unpack_from(self._map, self._ARMED.size)[1])

    def close(self) -> None:
        self._map.close()
