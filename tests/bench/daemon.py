"""The real daemon as a process: the time to its first tap, its memory, and its processor time while idle."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from kiosk.demo import hospital
from sync.control import ControlError, NotRunning, ask, socket_path
from tests.bench.figures import Figure
from tests.whole.town import Town

STARTS = 5
IDLE_S = 20.0


def measure(directory: Path) -> list[Figure]:
    """Time from start to tap, memory and idle cost, with a simulated reader and a connected centre."""
    directory.mkdir(parents=True)
    town = Town(directory)
    try:
        starts = [_start_to_tap(town) for _ in range(STARTS)]
        town.open()
        assert town.kiosk is not None
        for person in town.people:
            town.check_in(person)
        pid = town.kiosk.process.pid
        tree = [pid, *_children(pid)]
        before = sum(_cpu_s(each) for each in tree)
        time.sleep(IDLE_S)
        idle = (sum(_cpu_s(each) for each in tree) - before) / IDLE_S
        return [
            Figure("start → first tap committed", f"{statistics.median(starts):.2f} s", "≤ 1.5 s"),
            Figure("daemon, memory (RSS)", f"{_rss_mb(pid):.1f} MB", "≤ 80 MB"),
            Figure("its reader's process, memory (RSS)", f"{sum(_rss_mb(p) for p in tree[1:]):.1f} MB"),
            Figure("daemon and reader, idle CPU", f"{idle * 100:.2f} %", "≤ 1 %"),
        ]
    finally:
        town.close()


def _start_to_tap(town: Town) -> float:
    control = socket_path(town.places.directory / "kiosk.db")
    begin = time.perf_counter()
    kiosk = hospital.start_kiosk(town.places)
    while True:
        try:
            ask(control, "tap", uid=town.people[0].uid)
            break
        except (NotRunning, ControlError, OSError):
            time.sleep(0.005)
    took = time.perf_counter() - begin
    kiosk.stop()
    return took


def _children(pid: int) -> list[int]:
    # The kernel lists the children of each thread apart.
    lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for children in lists for child in children.split()]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
