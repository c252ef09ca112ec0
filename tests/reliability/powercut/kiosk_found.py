"""A kiosk's store after a power cut: whether it is sound, its content, and whether it still works."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection

from kiosk.store import outbox, outbox_bodies
from kiosk.store.damage import kept_files
from kiosk.store.sqlite import Store, StoreError
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import NO_HASH, chain_hash
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.reliability.powercut.kiosk_walk import DATABASE, TABLES
from tests.reliability.powercut.marks import digest


class FoundKiosk:
    """The store, opened by the real code. Raises StoreError where it is damaged: no power cut may need a recovery."""

    def __init__(self, directory: Path) -> None:
        self._store = Store(directory / DATABASE)
        if damaged := kept_files(self._store.path):
            self._store.close()
            raise StoreError(f"damaged: {damaged[0]}")
        self._kiosk = KioskParts(self._store, samples.Clock())

    @property
    def is_blank(self) -> bool:
        """Whether the store is from before its enrolment."""
        return self._kiosk.kiosk.identity is None

    def begin(self) -> None:
        """Enrols the kiosk."""
        self._kiosk.ledger.enrol(samples.enrolment())

    def unsound(self) -> str:
        with self._store.read() as db:
            return unsound(db)

    def digest(self) -> str:
        with self._store.read() as db:
            return digest(db, TABLES)

    def actions(self) -> set[str]:
        with self._store.read() as db:
            return {row[0] for row in db.execute("select action_id from outbox")}

    def goes_on(self) -> str:
        """Performs the next person's action, which continues the chain. Returns the fault, or an empty text."""
        acted = self._kiosk.journeys.check_in_unknown(PatientId("card-next"), samples.cards(9999), "scan_nfc", new_id())
        return self.unsound() or ("" if acted.action_ids else "the next action is refused")

    def close(self) -> None:
        self._store.close()


def unsound(db: Connection) -> str:
    """A fault inside a store: damage, an action in part, a broken chain. An empty text where there is none."""
    damage = db.execute("pragma integrity_check(1)").fetchone()[0]
    if damage != "ok":
        return f"damaged: {damage}"
    if db.execute("pragma foreign_key_check").fetchone():
        return "a row refers to a missing row"
    rows = db.execute(
        "select action_id, epoch, seq, body, digest, hash, patient_id from outbox order by epoch, seq"
    ).fetchall()
    if in_line(db) != in_views(db):
        return "the lines and the views hold different entries"
    if missing := {row["patient_id"] for row in rows} - {r[0] for r in db.execute("select patient_id from patients")}:
        return f"{len(missing)} patients of the outbox are missing"
    now = outbox.head(db)
    seq, last_hash = 0, NO_HASH
    for row in (row for row in rows if row["epoch"] == now.epoch):
        seq, last_hash = seq + 1, chain_hash(last_hash, row["body"])
        if (row["seq"], row["hash"]) != (seq, last_hash) or outbox_bodies.read(row) is None:
            return f"the chain breaks at seq {seq}"
    if (now.next_seq, now.last_hash) != (seq + 1, last_hash):
        return "the head of the chain is not at its last row"
    numbers = [
        row[0]
        for row in db.execute("select e.value ->> '$.queue_number' from patients, json_each(view, '$.entries') e")
    ]
    return "" if len(numbers) == len(set(numbers)) else "a queue number was given twice"


def in_line(db: Connection) -> set[tuple[str, ...]]:
    """Each entry of the lines, with its patient, day and state."""
    return {tuple(row) for row in db.execute("select queue_id, patient_id, site_day, state from entries")}


def in_views(db: Connection) -> set[tuple[str, ...]]:
    """Each entry of the patients' views, with its patient, day and state."""
    entries = "select e.value ->> '$.queue_id', patient_id, site_day, e.value ->> '$.state'"
    return {tuple(row) for row in db.execute(f"{entries} from patients, json_each(view, '$.entries') e")}
