"""The real daemon as a process: the time to its first tap, its memory, and its processor time while idle."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from kiosk.demo import hospital
from sync.control import ControlError, NotRunning, ask, socket_path
from tests.bench.figures import Figure
from tests.bench.processes import cpu_s, family, rss_mb
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
        pid, *others = tree = family(town.kiosk.process.pid)
        before = sum(cpu_s(each) for each in tree)
        time.sleep(IDLE_S)
        idle = (sum(cpu_s(each) for each in tree) - before) / IDLE_S
        return [
            Figure("start → first tap committed", f"{statistics.median(starts):.2f} s", "≤ 1.5 s"),
            Figure("daemon, memory (RSS)", f"{rss_mb(pid):.1f} MB", "≤ 80 MB"),
            Figure("its reader's process, memory (RSS)", f"{sum(rss_mb(each) for each in others):.1f} MB"),
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
