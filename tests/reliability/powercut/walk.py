"""The recorded process: a walk through a store's life, one step at a time.

    python -m tests.reliability.powercut.kiosk_walk (or centre_walk) DIRECTORY --steps N --seed S
        [--synchronous full|normal|off] [--faults FILE]

A step is one transaction, or one operation on the store (a checkpoint, a restart). After each step, the process marks
its own journal: first the return of the step, when a screen would say "done", then the content of the store. With
`--faults` the disk fails sometimes, and the store may refuse a step.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Protocol

from tests.reliability.powercut.marks import Step, mark
from tests.reliability.preload import Call, Faults

CHECKPOINTED_AFTER = 120  # pages, since a short walk makes no long log
StepOfWalk = Callable[[], tuple[str, ...]]


class Walk(Protocol):
    """A store and its steps. A step returns the ids of the actions that it has acknowledged."""

    @property
    def beginning(self) -> Sequence[StepOfWalk]:
        """The first steps, during which the disk works."""
        ...

    def next(self) -> StepOfWalk:
        """A random next step."""
        ...

    def restart(self) -> tuple[str, ...]:
        """Closes the store properly, and opens it."""
        ...

    def open(self) -> tuple[str, ...]: ...

    def digest(self) -> str:
        """The digest of the store."""
        ...

    def close(self) -> None: ...


def setting(synchronous: str) -> str:
    """The setting of a walk's database connection."""
    return f"pragma synchronous={synchronous}"


@dataclass(frozen=True, slots=True)
class Weather:
    """A disk that fails sometimes: about every fifth step, in any way, for one step or a few."""

    faults: Faults
    chance: random.Random

    def turn(self) -> None:
        """Chooses the faults of the next step."""
        if self.chance.random() < 0.4:
            self.faults.clear()
        if self.chance.random() < 0.2:
            calls = self.chance.choice((Call.WRITE, Call.SYNC, Call.SYNC, Call.TRUNCATE, Call.OPEN, Call.UNLINK))
            error, lasting = self.chance.choice((EIO, ENOSPC)), self.chance.random() < 0.5
            half = self.chance.random() < 0.5
            self.faults.arm(calls, self.chance.randint(1, 12), error, lasting=lasting, halfway=half)


def run(begin: Callable[[Path, random.Random, str], Walk], refusal: type[Exception]) -> None:
    """Runs the walk of the command line. `refusal` is the store's exception where it cannot open."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--synchronous", choices=("full", "normal", "off"), default="full")
    parser.add_argument("--faults", type=Path)
    options = parser.parse_args()
    walk = begin(options.directory, random.Random(options.seed), options.synchronous)
    weather = Weather(Faults(options.faults), random.Random(options.seed)) if options.faults else None
    steps = list(walk.beginning)
    for number in range(1, options.steps + 1):
        step, fair = (steps.pop(0), True) if steps else (walk.next(), weather is None)
        mark(_done(walk, number, step, None if fair else weather, refusal), walk.digest())
    if weather:
        weather.faults.clear()
    walk.close()


def _done(walk: Walk, number: int, step: StepOfWalk, weather: Weather | None, refusal: type[Exception]) -> Step:
    if weather:
        weather.turn()
    try:
        return Step(number, step.__name__, step())
    except (sqlite3.Error, OSError, refusal):
        if weather is None:
            raise
        if step == walk.restart:
            weather.faults.clear()
            walk.open()
        return Step(number, step.__name__, refused=True)
