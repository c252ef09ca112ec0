"""The recorded life of a kiosk: its real store and journey service, and people who come (see walk.py)."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from kiosk.journey.portion import VERDICTS_AT_FIRST
from kiosk.store.sqlite import Store, StoreError
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import Code, Verdict, VerdictRow
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.reliability.powercut.marks import digest
from tests.reliability.powercut.walk import CHECKPOINTED_AFTER, StepOfWalk, run, setting

DATABASE = "kiosk.db"
PEOPLE = 60
ALL_STEPS = ("scan_nfc", "register", "confirm_arrival")
TABLES = ("identity", "patients", "bindings", "entries", "outbox", "audit", "probe", "queue_numbers", "number_uses")


@dataclass
class KioskWalk:
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
        self.store.log.checkpoint_pages = CHECKPOINTED_AFTER
        with self.store.read() as db:
            db.execute(setting(self.synchronous))
        # A page is one transaction: a store may be found in any state after one, and these are noted step by step.
        parts = KioskParts(self.store, self.clock, portion_s=math.inf)
        self.journeys, self.ledger = parts.journeys, parts.ledger
        return ()

    def restart(self) -> tuple[str, ...]:
        """Stops properly, and starts again."""
        self.store.close()
        return self.open()

    def close(self) -> None:
        self.store.close()

    def digest(self) -> str:
        with self.store.read() as db:
            return digest(db, TABLES)

    @property
    def beginning(self) -> Sequence[StepOfWalk]:
        return self.enrol, self.roster

    def enrol(self) -> tuple[str, ...]:
        self.ledger.enrol(samples.enrolment())
        return ()

    def roster(self) -> tuple[str, ...]:
        self.ledger.adopt(samples.page(*(samples.row(number) for number in range(PEOPLE))))
        return ()

    def tap(self) -> tuple[str, ...]:
        """A person taps, perhaps again. The kiosk does one step or all steps by itself."""
        automatic = ALL_STEPS[: self.chance.choice((1, 1, 3))]
        acted = self.journeys.tap(samples.cards(self.chance.randrange(PEOPLE)), automatic)
        return tuple(map(str, acted.action_ids)) if acted else ()

    def press(self) -> tuple[str, ...]:
        """A person touches the screen, which the rules often refuse."""
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
        """The centre judges some pending actions, at most as many as one transaction settles."""
        with self.store.read() as db:
            rows = db.execute("select action_id, seq, patient_id from outbox where status = 'pending' order by seq")
            judged = rows.fetchmany(self.chance.randint(1, VERDICTS_AT_FIRST))
        self.ledger.retire(
            [
                VerdictRow(
                    action_id=row["action_id"],
                    seq=row["seq"],
                    verdict=Verdict.APPLIED,
                    code=Code.OK,
                    patient_id=row["patient_id"],
                )
                for row in judged
            ]
        )
        return ()

    def news(self) -> tuple[str, ...]:
        """A page with a few changed rows."""
        rows = []
        for number in self.chance.sample(range(PEOPLE), 5):
            row = samples.row(number, change=self.cursor + 1)
            rows.append(replace_journey(row, self.cursor))
        self.ledger.adopt(samples.page(*rows, from_cursor=self.cursor, cursor=self.cursor + 1))
        self.cursor += 1
        return ()

    def fork(self) -> tuple[str, ...]:
        """The centre gives a new epoch, which renumbers the pending actions."""
        assert self.journeys.identity is not None
        self.ledger.start_epoch(self.journeys.identity.epoch + 1)
        return ()

    def checkpoint(self) -> tuple[str, ...]:
        kind = self.chance.choice(("passive", "full", "restart", "truncate"))
        with self.store.read() as db:
            try:
                db.execute(f"pragma wal_checkpoint({kind})").fetchone()
            finally:
                self.store._files.note()
        return ()

    def next(self) -> StepOfWalk:
        """A random next step, most often a person."""
        steps, weights = zip(*_WEIGHTS, strict=True)
        chosen: Callable[[KioskWalk], tuple[str, ...]] = self.chance.choices(steps, weights)[0]
        return chosen.__get__(self)


_WEIGHTS: Sequence[tuple[Callable[[KioskWalk], tuple[str, ...]], int]] = (
    (KioskWalk.tap, 60),
    (KioskWalk.press, 40),
    (KioskWalk.stranger, 8),
    (KioskWalk.refused, 3),
    (KioskWalk.probe, 2),
    (KioskWalk.verdicts, 10),
    (KioskWalk.news, 5),
    (KioskWalk.fork, 1),
    (KioskWalk.checkpoint, 6),
    (KioskWalk.restart, 2),
)


def replace_journey(row: Any, version: int) -> Any:
    """The row with another version of its journey."""
    return replace(row, journey=replace(row.journey, journey_version=version))


if __name__ == "__main__":
    run(lambda place, chance, synchronous: KioskWalk(place / DATABASE, chance, synchronous), StoreError)
