"""How long a database of an older system takes into a centre and back, by its size, and the memory that it takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.figures import Figure
from tests.sync.central.centre import Centre
from tests.sync.central.legacy import old_system

SIZES = (250_000, 500_000, 1_000_000)  # rows
_ROWS_OF_A_PATIENT = 11.33
_LOOK_S = 0.1
_MIB = 1024  # of the kernel's KiB
_LAYOUT = "[tables.queue.new]\npriority = 0\n"


def measure(directory: Path, sizes: tuple[int, ...] = SIZES) -> list[Figure]:
    """The times of a migration into a centre, of the way back and of new names in place, all on SQLite."""
    return [figure for size in sizes for figure in _measure(directory / str(size), size)]


def _measure(directory: Path, size: int) -> list[Figure]:
    directory.mkdir(parents=True)
    old, centre = f"sqlite:///{directory}/old.sqlite3", f"sqlite:///{directory}/centre.db"
    old_system.run("make", old, round(size / _ROWS_OF_A_PATIENT))
    Centre(directory, patients=0).store.close()
    (directory / "layout.toml").write_text(_LAYOUT, "utf-8")
    ways = {
        "into a centre": ("--from", old, "--to", centre),
        "back, with nothing new": ("--revert", "--from", centre, "--to", old),
        "new names in place": ("--in-place", "--from", old),
    }
    return [Figure(f"{size} rows: {name}", _run(directory, *words)) for name, words in ways.items()]


def _run(directory: Path, *words: str) -> str:
    """Runs the command. Returns its time, its processor time and its largest memory in words."""
    command = [sys.executable, "-m", "sync.central", "migrate-legacy", *words]
    files = ["--files", str(directory / "files"), "--layout", str(directory / "layout.toml")]
    began_s = time.perf_counter()
    process = subprocess.Popen([*command, *files], stdout=subprocess.DEVNULL)
    ended, largest = 0, 0
    while not ended:
        # The kernel's own figure at the end would count the memory of this process before the child's program began.
        largest = max(largest, _memory(process.pid))
        time.sleep(_LOOK_S)
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
    took_s = time.perf_counter() - began_s
    assert status == 0, f"{words} failed"
    processor_s = used.ru_utime + used.ru_stime
    return f"{took_s:.0f} s, {processor_s:.0f} s of processor time, {largest // _MIB} MB"


def _memory(pid: int) -> int:
    """The largest memory of a process up to now, in KiB; 0 where it has ended."""
    try:
        found = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text("ascii"))
    except OSError:
        return 0
    return int(found[1]) if found else 0
