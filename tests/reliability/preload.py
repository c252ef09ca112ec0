"""Compiles `watched_disk.c`, sets the environment of processes that use it, and arms its faults."""

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
    """The calls that can fail on demand."""

    WRITE = 1
    SYNC = 2
    TRUNCATE = 4
    UNLINK = 8
    OPEN = 16
    READ = 32


def build(directory: Path) -> Path:
    """Compiles the library into the directory, and returns its path."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    demand(compiler is not None, "a C compiler")
    made = directory / "watched_disk.so"
    command = [str(compiler), "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(made), str(SOURCE)]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return made


def environment(
    library: Path, watched: Path, journal: Path | None = None, faults: Path | None = None
) -> dict[str, str]:
    """The environment of a process whose files beneath `watched` are watched."""
    names = {"LD_PRELOAD": library, "DISK_WATCHED": watched.resolve(), "DISK_JOURNAL": journal, "DISK_FAULTS": faults}
    return os.environ | {name: str(value) for name, value in names.items() if value}


def in_memory() -> Path | None:
    """A directory in memory, where a sync costs nothing; None where there is none. The tests cut a journal, so they do
    not need a real disk."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else None


def mark(text: str) -> None:
    """Writes a text into the journal of this process, between its earlier and its later calls."""
    data = text.encode()
    ctypes.CDLL(None).disk_mark(data, ctypes.c_size_t(len(data)))


class Faults:
    """Shared memory that tells a process's disk which call fails, when, and how."""

    _LAYOUT = struct.Struct("=IIiIIIqQQ")  # struct faults
    _ARMED, _COUNTS = struct.Struct("=IIiIIIq"), struct.Struct("=QQ")

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it. The file must exist when the process starts."""
        if not path.exists():
            path.write_bytes(bytes(self._LAYOUT.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), self._LAYOUT.size)

    def arm(self, calls: Call, countdown: int, error: int, *, lasting: bool = False, halfway: bool = False) -> None:
        """Makes the `countdown`-th of these calls fail with the errno `error`. `lasting`: every later one fails too.
        `halfway`: a failing write has written the first half of its bytes."""
        self._ARMED.pack_into(self._map, 0, 0, calls, error, lasting, halfway, 0, countdown)
        self._map[0:4] = (1).to_bytes(4, "little")

    def clear(self) -> None:
        """Ends the faults."""
        self._map[0:4] = bytes(4)

    @property
    def seen(self) -> int:
        """The number of calls of the armed kinds since the start."""
        return int(self._COUNTS.unpack_from(self._map, self._ARMED.size)[0])

    @property
    def struck(self) -> int:
        """The number of those calls that failed."""
        return int(self._COUNTS.unpack_from(self._map, self._ARMED.size)[1])

    def close(self) -> None:
        self._map.close()
