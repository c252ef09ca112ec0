"""The centre's store after a power cut: whether it is sound, its content, and whether it still works."""

from __future__ import annotations

from pathlib import Path

from sync.central.centre import Centre
from sync.central.maintenance.health import check
from sync.central.maintenance.incarnation import open_incarnation
from sync.central.services.perform_action import perform
from sync.central.services.requests import ActionRequest
from sync.central.site_keys import SiteKeys
from sync.central.store.sqlite import SqliteStore
from sync.ids import new_id
from sync.journey.definitions import shipped
from tests.reliability.powercut.centre_walk import DATABASE, digest_of
from tests.sync.central.wire import AT_THE_DESK, KEYS, Time


class FoundCentre:
    """The store, opened by the real code. Raises sync.central.store.sqlite.StoreError where that refuses."""

    def __init__(self, directory: Path) -> None:
        self._store = SqliteStore(f"sqlite:///{directory / DATABASE}")

    @property
    def is_blank(self) -> bool:
        """Whether the store is from before its first opening was recorded."""
        with self._store.read() as db:
            return db.row("select 1 from incarnation") is None

    def begin(self) -> None:
        """Records the first opening."""
        open_incarnation(self._store)

    def unsound(self) -> str:
        with self._store.read() as db:
            damage = db.value("pragma integrity_check(1)")
            if damage != "ok":
                return f"damaged: {damage}"
            if db.row("pragma foreign_key_check"):
                return "a row refers to a missing row"
            health = check(db, shipped())
            if health.inconsistent or health.orphans or health.illegal_transitions:
                return "journeys and queue differ"
            if db.row("select 1 from transitions where action_id is not null group by action_id having count(*) > 1"):
                return "an action has its effect twice"
            if db.row(
                "select 1 from chains c where last_seq <> (select count(*) from receipts r"
                " where r.kiosk_id = c.kiosk_id and r.epoch = c.epoch)"
            ):
                return "a chain and its receipts end at different seqs"
            orphan = db.row("select 1 from receipts where verdict_id not in (select verdict_id from verdicts)")
            return "a receipt has no verdict" if orphan else ""

    def digest(self) -> str:
        return digest_of(self._store)

    def actions(self) -> set[str]:
        with self._store.read() as db:
            rows = db.rows("select action_id from actions union select verdict_id from verdicts")
            return {row[0] for row in rows}

    def goes_on(self) -> str:
        """Opens the store for service, and performs an action. Returns the fault, or an empty text."""
        open_incarnation(self._store)
        action_id = new_id()
        centre = Centre(self._store, SiteKeys(Path("none"), KEYS), shipped(), Time())
        perform(centre, AT_THE_DESK, "P1", ActionRequest("scan_nfc", action_id, {}))
        return self.unsound() or ("" if action_id in self.actions() else "the next action has no effect")

    def close(self) -> None:
        self._store.close()
