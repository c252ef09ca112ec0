"""The recorded life of a centre: its real store and services, staff, and two kiosks that push to it (see walk.py).

The kiosks' stores are in another directory, which is not watched.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.maintenance.incarnation import open_incarnation, update_marker
from sync.central.services.perform_action import perform
from sync.central.services.requests import ActionRequest
from sync.central.store.errors import StoreError
from sync.central.store.sqlite import SqliteStore
from sync.ids import new_id
from tests.reliability.powercut.marks import digest
from tests.reliability.powercut.walk import CHECKPOINTED_AFTER, StepOfWalk, run, setting
from tests.sync.central.wire import AT_THE_DESK, DAY, EVERYTHING, Centre, Kiosk, Time, uid

DATABASE = "central.db"
PEOPLE = tuple(f"Q{number}" for number in range(40))
STAFFS = ("call_patient", "start_exam", "complete_exam", "mark_no_show", "cancel_appointment")
STEPS = ("scan_nfc", "register", "confirm_arrival")


@dataclass
class CentreWalk:
    """A centre, its kiosks and its staff, one step at a time."""

    directory: Path
    chance: random.Random
    synchronous: str = "full"

    def __post_init__(self) -> None:
        self.centre = Centre(self.directory / DATABASE, Time())
        self._set()
        self.kiosks: list[Kiosk] = []

    def open(self) -> tuple[str, ...]:
        self.centre.open()
        self._set()
        try:
            open_incarnation(self.centre.store)
        except (sqlite3.Error, OSError):
            self.centre.store.close()
            raise
        return ()

    def restart(self) -> tuple[str, ...]:
        self.centre.store.close()
        return self.open()

    def close(self) -> None:
        self.centre.store.close()
        for kiosk in self.kiosks:
            kiosk.store.close()

    def digest(self) -> str:
        return digest_of(self.centre.store)

    @property
    def beginning(self) -> Sequence[StepOfWalk]:
        return self.begin, self.hospital, self.enrol, self.rosters, self.enrol, self.rosters

    def begin(self) -> tuple[str, ...]:
        """Does nothing: the opening of the database is the whole step."""
        return ()

    def hospital(self) -> tuple[str, ...]:
        with self.centre.store.write() as db:
            document = read_hospital(_hospital())
            take_hospital(db, self.centre.definitions, self.centre.parts.keys, document, self.centre.time())
        return ()

    def enrol(self) -> tuple[str, ...]:
        place = self.directory.parent / "kiosks"
        place.mkdir(exist_ok=True)
        prefix = "AB"[len(self.kiosks)]
        self.kiosks.append(Kiosk(place / f"{prefix}.db", self.centre, prefix, EVERYTHING))
        return ()

    def rosters(self) -> tuple[str, ...]:
        """The first pull of the newest kiosk."""
        self.kiosks[-1].puller.run_once()
        return ()

    def push(self) -> tuple[str, ...]:
        """People come to a kiosk, which then pushes. An action with a verdict is acknowledged."""
        kiosk = self.chance.choice(self.kiosks)
        for _ in range(self.chance.randint(1, 3)):
            kiosk.tap(self.chance.choice(PEOPLE), *STEPS[: self.chance.choice((1, 2, 3, 3))])
        before = _pending(kiosk)
        kiosk.pusher.run_once()
        return tuple(sorted(before - _pending(kiosk)))

    def pull(self) -> tuple[str, ...]:
        self.chance.choice(self.kiosks).puller.run_once()
        return ()

    def staff(self) -> tuple[str, ...]:
        """An action at the desk, which the rules often refuse."""
        ask = ActionRequest(self.chance.choice(STAFFS), new_id(), {})
        answer = perform(self.centre.parts, AT_THE_DESK, self.chance.choice(PEOPLE), ask)
        return (ask.action_id,) if answer.done else ()

    def marker(self) -> tuple[str, ...]:
        update_marker(self.centre.store)
        return ()

    def checkpoint(self) -> tuple[str, ...]:
        kind = self.chance.choice(("passive", "full", "restart", "truncate"))
        try:
            self.centre.store._writer.execute(f"pragma wal_checkpoint({kind})").fetchone()
        finally:
            self.centre.store._files.note()
        return ()

    def next(self) -> StepOfWalk:
        self.centre.time.pass_minutes(self.chance.random() / 4)
        steps, weights = zip(*_WEIGHTS, strict=True)
        chosen: Callable[[CentreWalk], tuple[str, ...]] = self.chance.choices(steps, weights)[0]
        return chosen.__get__(self)

    def _set(self) -> None:
        self.centre.store._writer.execute(setting(self.synchronous))
        self.centre.store.log.checkpoint_pages = CHECKPOINTED_AFTER


_WEIGHTS: Sequence[tuple[Callable[[CentreWalk], tuple[str, ...]], int]] = (
    (CentreWalk.push, 50),
    (CentreWalk.staff, 40),
    (CentreWalk.pull, 10),
    (CentreWalk.marker, 4),
    (CentreWalk.checkpoint, 6),
    (CentreWalk.restart, 2),
)


def digest_of(store: SqliteStore) -> str:
    """The digest of all tables of the centre's store."""
    with store.read() as db:
        tables = db.rows("select name from sqlite_master where type = 'table' and name not like 'sqlite%'")
        return digest(db, sorted(row["name"] for row in tables))


def _pending(kiosk: Kiosk) -> set[str]:
    with kiosk.store.read() as db:
        return {row[0] for row in db.execute("select action_id from outbox where status = 'pending'")}


def _hospital() -> dict[str, object]:
    return {
        "patients": [{"patient_id": name, "name": f"Person {name}", "cards": [uid(name).hex()]} for name in PEOPLE],
        "appointments": [
            {
                "appointment_id": f"A{name}",
                "patient_id": name,
                "exam_id": "XE"[number % 2],
                "scheduled_at": f"{DAY}T{10 + number % 6}:00",
            }
            for number, name in enumerate(PEOPLE)
        ],
    }


if __name__ == "__main__":
    run(CentreWalk, StoreError)
