"""What processes of this machine take, as the kernel counts it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_OWN = slice(11, 13)  # user and system time, of the fields after the program's name (proc_pid_stat(5))
_WITH_ENDED = slice(11, 15)  # and those of its children that have ended


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run, the oldest first."""
    # The kernel lists the children of each thread apart.
    lists = [path.read_text("ascii") for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return sorted(int(child) for found in lists for child in found.split())


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    return [pid, *(each for child in children(pid) for each in family(child))]


def cpu_s(pid: int) -> float:
    """The processor time of a process so far (s)."""
    return _ticks(pid, _OWN) / os.sysconf("SC_CLK_TCK")


def cpu_of_family_s(pid: int) -> float:
    """The processor time so far (s) of a process and its descendants, those that have ended among them."""
    return sum(_ticks(each, _WITH_ENDED) for each in family(pid)) / os.sysconf("SC_CLK_TCK")


def machine_s() -> tuple[float, float]:
    """The processor time so far (s) of the whole machine: busy, and idle."""
    ticks = [int(each) for each in Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:9]]
    idle = sum(ticks[3:5])  # idle and waiting for a disk (proc(5))
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), idle / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """The memory of a process that is in use now (MiB)."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def usage(parts: Mapping[str, Callable[[], float]]) -> Callable[[], dict[str, float]]:
    """Returns what tells the processors that each part has used since now: 1 is one processor all the time.

    A part tells the processor time that it has taken so far (s).
    """
    before = {name: spent_s() for name, spent_s in parts.items()}
    began_s = time.monotonic()

    def used() -> dict[str, float]:
        whole_s = time.monotonic() - began_s
        return {name: (spent_s() - before[name]) / whole_s for name, spent_s in parts.items()}

    return used


def _ticks(pid: int, fields: slice) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
    except FileNotFoundError:  # it has just ended, and its parent counts it
        return 0
    return sum(int(each) for each in stat.rsplit(")", 1)[1].split()[fields])
