"""What a call takes: its time, and the processor time of the whole process, which other programs disturb less."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Taken:
    """Seconds of a call, and of the processors meanwhile."""

    wall_s: float
    cpu_s: float

    def __add__(self, other: Taken) -> Taken:
        return Taken(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


def taken(call: Callable[[], object]) -> Taken:
    """Makes a call, and returns what it took."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    call()
    return Taken(time.perf_counter() - wall_s, time.process_time() - cpu_s)
