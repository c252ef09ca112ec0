"""The store that is found after a power cut, opened by the real code and held against what was acknowledged before."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

import msgspec

from kiosk import outbox
from kiosk.journeys import Journeys
from kiosk.store import Store, StoreError
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import NO_HASH, chain_hash
from tests.kiosk import samples
from tests.reliability.powercut.journal import Event, Kind
from tests.reliability.powercut.walk import Held, Step, digest


@dataclass(frozen=True, slots=True)
class History:
    """What the recorded process told: `returned[n]` is the index of the event at which step n + 1 had returned,
    `steps[n]` what it did, and `held[n]` what the store held then. `after` leads from there to the step's number."""

    returned: Sequence[int]
    steps: Sequence[Step]
    held: Sequence[str]
    after: dict[str, list[int]]

    def acknowledged(self, cut: int) -> int:
        """The number of the last step that had returned before the event of that index."""
        return bisect_left(self.returned, cut)

    def in_doubt(self, acknowledged: int) -> bool:
        """Whether the last step, or the one under way, was refused. It may be there then, whole, until another one is
        saved: its commit had been written, and only to make that safe had failed."""
        return any(step.refused for step in self.steps[max(0, acknowledged - 1) : acknowledged + 1])


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a cut. `lost`: steps that had been acknowledged and left no trace. `fault`: empty, or what is
    wrong beside that."""

    cut: int
    lost: int = 0
    fault: str = ""


def history(events: Sequence[Event]) -> History:
    """Reads the marks."""
    returned, steps, held, after = [], [], [], dict[str, list[int]]()
    for index, event in enumerate(events):
        if event.kind is not Kind.MARKED:
            continue
        told = msgspec.json.decode(event.payload)
        if "digest" in told:
            now = msgspec.convert(told, Held)
            held.append(now.digest)
            after.setdefault(now.digest, []).append(now.number)
        else:
            returned.append(index)
            steps.append(msgspec.convert(told, Step))
    return History(returned, steps, held, after)


def examine(directory: Path, told: History, cut: int) -> Finding:
    """Opens what was found in the directory as the kiosk would, and looks for everything that must be there."""
    try:
        store = Store(directory / "kiosk.db")
    except StoreError as error:
        return Finding(cut, fault=f"the store does not open: {error}".replace(str(directory), "…"))
    try:
        return _examined(store, told, cut)
    finally:
        store.close()


def _examined(store: Store, told: History, cut: int) -> Finding:
    acknowledged = told.acknowledged(cut)
    journeys = Journeys(store, samples.Clock())
    if journeys.identity is None:
        journeys.enrol(samples.enrolment())  # it goes on from there
        return Finding(cut, lost=acknowledged)
    reached = max((n for n in told.after.get(digest(store), []) if n <= acknowledged + 1), default=None)
    with store.read() as db:
        if fault := unsound(db):
            return Finding(cut, fault=fault)
        there = {row[0] for row in db.execute("select action_id from outbox")}
    if reached is None:
        if not told.in_doubt(acknowledged):
            return Finding(cut, fault="the store never was in this state")
        reached = acknowledged
    if any(action not in there for step in told.steps[:reached] for action in step.actions):
        return Finding(cut, fault="an action is gone from a store that holds what came after it")
    return Finding(cut, max(0, acknowledged - reached), _does_not_go_on(store, journeys))


def unsound(db: Connection) -> str:
    """What is wrong with a store by itself: damage, half an action, a broken chain. Empty where nothing is."""
    damage = db.execute("pragma integrity_check(1)").fetchone()[0]
    if damage != "ok":
        return f"damaged: {damage}"
    if db.execute("pragma foreign_key_check").fetchone():
        return "a row refers to nothing"
    rows = db.execute("select action_id, epoch, seq, body, hash, patient_id from outbox order by epoch, seq").fetchall()
    applied = Counter(row[0] for row in db.execute("select action_id from audit where kind = 'applied'"))
    if applied != Counter(row["action_id"] for row in rows):
        return "outbox and audit do not tell of the same actions"
    if missing := {row["patient_id"] for row in rows} - {r[0] for r in db.execute("select patient_id from patients")}:
        return f"{len(missing)} patients of the outbox are gone"
    now = outbox.head(db)
    seq, last_hash = 0, NO_HASH
    for row in (row for row in rows if row["epoch"] == now.epoch):
        seq, last_hash = seq + 1, chain_hash(last_hash, row["body"])
        if (row["seq"], row["hash"]) != (seq, last_hash) or outbox.intent_of(row).action_id != row["action_id"]:
            return f"the chain breaks at seq {seq}"
    if (now.next_seq, now.last_hash) != (seq + 1, last_hash):
        return "the head of the chain is not where its last row is"
    labels = [row[0] for row in db.execute("select json_extract(entry, '$.queue_number') from entries")]
    return "" if len(labels) == len(set(labels)) else "a queue number was given twice"


def _does_not_go_on(store: Store, journeys: Journeys) -> str:
    """The next person comes, and the chain goes on."""
    acted = journeys.check_in_unknown(PatientId("card-next"), samples.cards(9999), "scan_nfc", new_id())
    with store.read() as db:
        broken = unsound(db)
    return broken or ("" if acted.action_ids else "the next action is refused")
