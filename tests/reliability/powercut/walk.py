"""The process that is recorded: the kiosk's real store and journey service, and people who come to it.

    python -m tests.reliability.powercut.walk DIRECTORY --steps N --seed S --synchronous full|normal|off [--faults FILE]

One step is one transaction, or one thing done to the store (a checkpoint, a restart). After each, the process marks its
own journal: first that the step has returned, which is when a screen would say "done"; then what the store holds. With
`--faults` the disk fails now and then, and a step may be refused.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Any

import msgspec

from kiosk.journeys import Journeys
from kiosk.store import Store, StoreError
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import Code, Verdict, VerdictRow
from tests.kiosk import samples
from tests.reliability.preload import Call, Faults, mark

PEOPLE = 60
ALL_STEPS = ("scan_nfc", "register", "confirm_arrival")
TABLES = ("identity", "patients", "bindings", "entries", "outbox", "audit", "probe", "labels")
CHECKPOINTED_AFTER = 120  # pages; SQLite's own 1000 are too many for a short walk


class Step(msgspec.Struct, frozen=True):
    """A mark: step `number` has returned, and these actions were acknowledged by it; or the store refused it."""

    number: int
    kind: str
    actions: tuple[str, ...] = ()
    refused: bool = False


class Held(msgspec.Struct, frozen=True):
    """A mark: what the store held after step `number`, as a digest."""

    number: int
    digest: str


@dataclass
class Walk:
    """People at a kiosk, one step at a time."""

    path: Path
    chance: random.Random
    synchronous: str = "full"

    def __post_init__(self) -> None:
        self.clock = samples.Clock()
        self.cursor = 1
        self.strangers = 0
        self.open()

    def open(self) -> tuple[str, ...]:
        self.store = Store(self.path)
        with self.store.read() as db:
            db.execute(f"pragma synchronous={self.synchronous}")
            db.execute(f"pragma wal_autocheckpoint={CHECKPOINTED_AFTER}")
        self.journeys = Journeys(self.store, self.clock)
        return ()

    def restart(self) -> tuple[str, ...]:
        """Ends in good order, and starts again."""
        self.store.close()
        return self.open()

    def enrol(self) -> tuple[str, ...]:
        self.journeys.enrol(samples.enrolment())
        return ()

    def roster(self) -> tuple[str, ...]:
        self.journeys.adopt(samples.page(*(samples.row(number) for number in range(PEOPLE))))
        return ()

    def tap(self) -> tuple[str, ...]:
        """Any of them, again or for the first time; the kiosk does one step or all of them by itself."""
        automatic = ALL_STEPS[: self.chance.choice((1, 1, 3))]
        acted = self.journeys.tap(samples.cards(self.chance.randrange(PEOPLE)), automatic)
        return tuple(map(str, acted.action_ids)) if acted else ()

    def press(self) -> tuple[str, ...]:
        """A touch of somebody who tapped before; often one that the rules refuse."""
        number = self.chance.randrange(PEOPLE)
        action = self.chance.choice(ALL_STEPS[1:])
        acted = self.journeys.act(f"P{number}", action, new_id(), {}, samples.cards(number))
        return tuple(map(str, acted.action_ids))

    def stranger(self) -> tuple[str, ...]:
        self.strangers += 1
        cards, patient_id = samples.cards(1000 + self.strangers), PatientId(f"card-{self.strangers}")
        acted = self.journeys.check_in_unknown(patient_id, cards, "scan_nfc", new_id())
        return tuple(map(str, acted.action_ids))

    def refused(self) -> tuple[str, ...]:
        self.journeys.note_refused_tap("phone")
        return ()

    def probe(self) -> tuple[str, ...]:
        self.journeys.probe()
        return ()

    def verdicts(self) -> tuple[str, ...]:
        """The centre answers for some of what is pending."""
        with self.store.read() as db:
            rows = db.execute("select action_id, seq, patient_id from outbox where status = 'pending' order by seq")
            told = rows.fetchmany(self.chance.randrange(1, 30))
        self.journeys.settle(
            [
                VerdictRow(
                    action_id=row["action_id"],
                    seq=row["seq"],
                    verdict=Verdict.APPLIED,
                    code=Code.OK,
                    patient_id=row["patient_id"],
                )
                for row in told
            ]
        )
        return ()

    def news(self) -> tuple[str, ...]:
        """A page with a few changed rows."""
        rows = []
        for number in self.chance.sample(range(PEOPLE), 5):
            row = samples.row(number, change=self.cursor + 1)
            rows.append(replace_journey(row, self.cursor))
        self.journeys.adopt(samples.page(*rows, from_cursor=self.cursor, cursor=self.cursor + 1))
        self.cursor += 1
        return ()

    def fork(self) -> tuple[str, ...]:
        """The centre gives a new epoch; everything pending is renumbered."""
        assert self.journeys.identity is not None
        self.journeys.start_epoch(self.journeys.identity.epoch + 1)
        return ()

    def checkpoint(self) -> tuple[str, ...]:
        kind = self.chance.choice(("passive", "full", "restart", "truncate"))
        with self.store.read() as db:
            db.execute(f"pragma wal_checkpoint({kind})").fetchone()
        return ()

    def next(self) -> Callable[[], tuple[str, ...]]:
        """What happens next, by chance; mostly people."""
        steps, weights = zip(*_WEIGHTS, strict=True)
        chosen: Callable[[Walk], tuple[str, ...]] = self.chance.choices(steps, weights)[0]
        return chosen.__get__(self)


_WEIGHTS: Sequence[tuple[Callable[[Walk], tuple[str, ...]], int]] = (
    (Walk.tap, 60),
    (Walk.press, 40),
    (Walk.stranger, 8),
    (Walk.refused, 3),
    (Walk.probe, 2),
    (Walk.verdicts, 10),
    (Walk.news, 5),
    (Walk.fork, 1),
    (Walk.checkpoint, 6),
    (Walk.restart, 2),
)


def replace_journey(row: Any, version: int) -> Any:
    """The same row with a journey that the centre has moved on."""
    return msgspec.structs.replace(row, journey=replace(row.journey, journey_version=version))


def digest(store: Store) -> str:
    """Everything that the store holds, as a SHA-256."""
    whole = hashlib.sha256()
    with store.read() as db:
        for table in TABLES:
            for row in db.execute(f"select * from {table} order by 1, 2"):
                whole.update(repr(tuple(row)).encode())
    return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Weather:
    """How the disk fails now and then: about every fifth step, in any way, for that step or a few."""

    faults: Faults
    chance: random.Random

    def turn(self) -> None:
        """The next step is coming."""
        if self.chance.random() < 0.4:
            self.faults.clear()
        if self.chance.random() < 0.2:
            calls = self.chance.choice((Call.WRITE, Call.SYNC, Call.SYNC, Call.TRUNCATE, Call.OPEN, Call.UNLINK))
            error, lasting = self.chance.choice((EIO, ENOSPC)), self.chance.random() < 0.5
            half = self.chance.random() < 0.5
            self.faults.arm(calls, self.chance.randint(1, 12), error, lasting=lasting, halfway=half)


def attempt(walk: Walk, number: int, step: Callable[[], tuple[str, ...]], weather: Weather | None) -> Step:
    """Does a step, and says what came of it."""
    if weather:
        weather.turn()
    try:
        return Step(number, step.__name__, step())
    except (sqlite3.Error, StoreError):
        if weather is None:
            raise
        if step == walk.restart:
            weather.faults.clear()
            walk.open()
        return Step(number, step.__name__, refused=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--synchronous", choices=("full", "normal", "off"), default="full")
    parser.add_argument("--faults", type=Path)
    asked = parser.parse_args()
    walk = Walk(asked.directory / "kiosk.db", random.Random(asked.seed), asked.synchronous)
    weather = Weather(Faults(asked.faults), random.Random(asked.seed)) if asked.faults else None
    steps = [walk.enrol, walk.roster]
    for number in range(1, asked.steps + 1):
        done = attempt(walk, number, steps.pop(0), None) if steps else attempt(walk, number, walk.next(), weather)
        mark(msgspec.json.encode(done).decode())
        mark(msgspec.json.encode(Held(number, digest(walk.store))).decode())
    if weather:
        weather.faults.clear()
    walk.store.close()


if __name__ == "__main__":
    main()
