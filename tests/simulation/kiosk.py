"""A kiosk of a schedule: the real store, journey service and sync steps, with simulated clocks and its own disk."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kiosk.store import outbox, patients
from kiosk.store.identity import read_generation
from kiosk.store.patients import Patient
from sync.agent.lookup import Lookups
from sync.agent.steps import Puller, Pusher, StepResult
from sync.cards import CardHash
from sync.clock import ClockReading
from sync.protocol import PullRequest
from tests.kiosk.parts import KioskParts
from tests.simulation.crashes import Crash, FragileKioskStore, Fuse
from tests.simulation.network import Link, SimulatedClient

EACH_STEP_ALONE = 0.0  # the time of a portion of a page: each step is a transaction, at whose end the box may die
NO_CLOCK_MS = 946_684_800_000  # the year 2000: the clock of a box without a battery after a boot


@dataclass(slots=True)
class Clocks:
    """The clocks of one box, by their difference from the true time (UTC ms)."""

    boot_id: str
    booted_ms: int
    offset_ms: int = 0
    synchronised: bool = True

    def read(self, now_ms: int) -> ClockReading:
        """Their reading at a moment."""
        return ClockReading(now_ms + self.offset_ms, now_ms - self.booted_ms, self.boot_id, self.synchronised)


class SimulatedKiosk:
    """One box. It keeps nothing but `files()` when it is switched off."""

    def __init__(self, name: str, path: Path, link: Link, clock: Callable[[], int], ids: Callable[[], str]) -> None:
        self.name, self.path, self.link = name, path, link
        self._now, self._ids = clock, ids
        self.fuse = Fuse()
        self.clock_was_wrong = False
        self._under_way: set[str] = set()
        self.running = False  # whether an action or step of this kiosk is under way
        self.clocks = Clocks(ids(), clock())
        self.open()

    def open(self) -> None:
        """Starts the daemon."""
        self.store = FragileKioskStore(self.path, self.fuse)
        self.parts = KioskParts(self.store, lambda: self.clocks.read(self._now()), self._ids, EACH_STEP_ALONE)
        self.journeys, self.ledger = self.parts.journeys, self.parts.ledger
        self.pusher = Pusher(self.ledger, SimulatedClient(self.link))
        self.puller = Puller(self.ledger, SimulatedClient(self.link), wait_s=0)
        self.lookups = Lookups(self.ledger, lambda: SimulatedClient(self.link), lambda *_: None)

    def reopen(self) -> None:
        """The process has died, and another one starts on its file."""
        self.fuse.put_out()
        self.store.close()
        self.open()

    def reboot(self, *, keeps_time: bool) -> None:
        """The power goes off and on again. Without a battery, the wall clock starts in the past."""
        now = self._now()
        offset = self.clocks.offset_ms if keeps_time else NO_CLOCK_MS - now
        self.clocks = Clocks(self._ids(), now, offset, synchronised=keeps_time and self.clocks.synchronised)
        self.clock_was_wrong |= not keeps_time
        self.reopen()

    def survives(self, doing: Callable[[], object]) -> bool:
        """Does a step. Returns False where the process died or the disk failed; the kiosk then runs again."""
        outermost, self.running = not self.running, True
        try:
            doing()
        except Crash:
            if not outermost:
                raise  # the process of the outer step is the same
            self.reopen()
            return False
        except sqlite3.OperationalError:
            return False
        finally:
            self.running = not outermost
        return True

    def push(self) -> StepResult:
        """One push step. Does nothing while a push is under way, since one thread does all pushes."""
        return self._alone("push", self.pusher.run_once)

    def pull(self) -> StepResult:
        """One pull step. Does nothing while a pull is under way."""
        return self._alone("pull", self.puller.run_once)

    def _alone(self, name: str, step: Callable[[], StepResult]) -> StepResult:
        if name in self._under_way:
            return StepResult()
        self._under_way.add(name)
        try:
            return step()
        finally:
            self._under_way.remove(name)

    def snapshot(self, into: Path) -> None:
        """Copies the disk."""
        into.mkdir()
        for file in self.files():
            if file.exists():
                shutil.copyfile(file, into / file.name.replace(self.path.name, "disk.db"))

    def put_back(self, snapshot: Path) -> None:
        """Sets the disk back to a copy."""
        self.store.close()
        for file in self.files():
            file.unlink(missing_ok=True)
            kept = snapshot / file.name.replace(self.path.name, "disk.db")
            if kept.exists():
                shutil.copyfile(kept, file)
        self.open()

    def files(self) -> tuple[Path, ...]:
        """The database, its log and its card keys."""
        return self.path, *(self.path.with_name(f"{self.path.name}{ending}") for ending in ("-wal", ".keys"))

    def flip(self, action_id: str, places: list[tuple[float, int]]) -> None:
        """Flips bits of an action's body on the disk. A place is a part of the body's length, and a bit there."""
        with self.store.write() as db:
            body = bytearray(db.execute("select body from outbox where action_id = ?", (action_id,)).fetchone()[0])
            for place, bit in places:
                body[int(place * len(body))] ^= 1 << bit
            db.execute("update outbox set body = ? where action_id = ?", (bytes(body), action_id))

    def rows(self) -> list[outbox.OutboxRow]:
        """The outbox."""
        with self.store.read() as db:
            return outbox.rows(db)

    def versions(self) -> dict[str, int]:
        """The journey_version of every base; -1 where a snapshot has begun since."""
        with self.store.read() as db:
            generation = read_generation(db)
            kept = [patients.read(db, row[0]) for row in db.execute("select patient_id from patients").fetchall()]
            return {each.patient_id: each.base_version(generation) for each in kept if each is not None}

    def incarnation(self) -> str:
        """The centre's incarnation that this kiosk knows."""
        assert self.journeys.identity is not None
        return self.journeys.identity.server_incarnation

    def knows_lost(self, cards: tuple[CardHash, ...]) -> bool:
        """Whether this kiosk knows that a card was reported lost."""
        with self.store.read() as db:
            return patients.find_card(db, self.parts.kiosk.cards.present(cards)).is_blocked

    def site_id(self) -> str:
        """The site that this kiosk belongs to."""
        assert self.journeys.identity is not None
        return self.journeys.identity.site_id

    def first_pull(self) -> bytes:
        """The pull of a kiosk that has no roster yet."""
        identity = self.journeys.identity
        assert identity is not None
        request = PullRequest(
            protocol_version=2, site_id=identity.site_id, kiosk_id=identity.kiosk_id, epoch=identity.epoch, cursor=0
        )
        return msgspec.json.encode(request)

    def patient(self, patient_id: str) -> Patient | None:
        """A patient, as the kiosk holds the record."""
        with self.store.read() as db:
            return patients.read(db, patient_id)
