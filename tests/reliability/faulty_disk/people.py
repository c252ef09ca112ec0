"""People at a kiosk whose disk may fail, and the kiosk's answers to them: the real reception on the real store."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kiosk.front.offer import DEAD_S, Press
from kiosk.front.present_screen import PROBE_S, STORE_FAULT
from kiosk.front.reception import Reception
from kiosk.front.screen import Screen, ScreenKind
from kiosk.journey.journeys import Journeys
from kiosk.journey.this_kiosk import ThisKiosk
from kiosk.store.sqlite import Store, StoreError
from sync.ids import new_id
from tests.kiosk import samples
from tests.kiosk.reception_rig import Seconds, hold_card
from tests.reliability.powercut.kiosk_found import unsound

PEOPLE = 6
CHECKPOINTED_AFTER = 50  # pages, so that a few people cause several checkpoints


@dataclass
class Kiosk:
    """A kiosk in one directory, and the actions that it acknowledged: (patient, action).

    `doubtful` actions were refused, and no action was saved since. If the kiosk starts again at that moment, the last
    of them may be stored completely: its commit was written, and only the sync failed. Every database has this
    uncertainty, as with a power cut in the middle of a commit. The next commit overwrites such an action.
    """

    path: Path
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    refused: int = 0

    def make(self, people: int = PEOPLE) -> None:
        """Makes the store on a working disk: enrolled, with this number of patients."""
        parts = samples.enrolled(self.path.parent, samples.Clock(), *(samples.row(n) for n in range(people)))
        parts.store.close()

    def open(self) -> bool:
        """Starts. Returns False where the kiosk reports that it cannot."""
        try:
            self.store = Store(self.path)
        except StoreError as error:
            self.refused += 1
            if str(self.path) not in str(error):
                self.wrong.append(f"the store does not open, and the error names no file: {error}")
            return False
        try:
            self.store.log.checkpoint_pages = CHECKPOINTED_AFTER
            self._settle_doubt(self.kept())
            self.journeys = Journeys(ThisKiosk(self.store, samples.Clock()))
        except sqlite3.Error:  # the daemon's start fails, and systemd tries again
            self.refused += 1
            self.store.close()
            return False
        self.seconds = Seconds()
        self.reception = Reception(
            self.journeys, samples.KEYS.hashes, lambda: ("scan_nfc",), lambda: None, monotonic=self.seconds
        )
        return True

    def serve(self, person: int) -> None:
        """A person holds a card to the kiosk, and touches the offered buttons until the screen offers none."""
        patient = f"P{person}"
        screen = self._told(hold_card(self.reception, self.seconds, samples.uid(person)), patient, "scan_nfc")
        while screen.next_action:
            action = screen.next_action
            self.seconds.now += DEAD_S
            acted = self.reception.act(Press(screen.offer, patient, action, new_id()))
            if acted.error is None:
                self._acknowledge(patient, action)
            else:
                self._refuse(patient, action)
                if acted.code not in {"store", "conflict"}:
                    self.wrong.append(f"{action} is refused with {acted.code}")
                return
            screen = acted.screen

    def recovers(self) -> None:
        """The disk works again. The kiosk must notice the recovery by itself, and serve all people who come back."""
        self.seconds.now += PROBE_S
        self.reception.tick()
        if self.reception.faults():
            self.wrong.append(f"the kiosk does not recover: {self.reception.faults()}")
        for person in range(PEOPLE):
            self.serve(person)
        whole = {(f"P{n}", action) for n in range(PEOPLE) for action in ("scan_nfc", "register", "confirm_arrival")}
        if missing := whole - self.acknowledged:
            self.wrong.append(f"after its recovery the kiosk refused {len(missing)} actions")

    def look(self) -> None:
        """Compares the store with the acknowledged actions."""
        with self.store.read() as db:
            if fault := unsound(db):
                self.wrong.append(fault)
        kept = self.kept()
        if kept.keys() != self.acknowledged or set(kept.values()) - {1}:
            lost, extra = self.acknowledged - kept.keys(), kept.keys() - self.acknowledged
            self.wrong.append(f"{len(lost)} lost, {len(extra)} kept though refused, {kept.total() - len(kept)} doubled")

    def kept(self) -> Counter[tuple[str, str]]:
        """The actions in the outbox, with their number."""
        with self.store.read() as db:
            return Counter(tuple(row) for row in db.execute("select patient_id, action_type from outbox"))

    def _told(self, screen: Screen, patient: str, action: str) -> Screen:
        """Notes the answer of the screen to the person with the card. Returns the screen."""
        if screen.screen is ScreenKind.JOURNEY and screen.journey and screen.journey.journey_state != "UNREGISTERED":
            self._acknowledge(patient, action)
        elif screen.screen is ScreenKind.OUT_OF_ORDER and screen.reason == STORE_FAULT:
            self._refuse(patient, action)
        else:
            self.wrong.append(f"a card brought {screen.screen} {screen.reason}")
        return screen

    def _acknowledge(self, patient: str, action: str) -> None:
        self.acknowledged.add((patient, action))
        self.doubtful.clear()

    def _refuse(self, patient: str, action: str) -> None:
        self.refused += 1
        if (patient, action) not in self.acknowledged:
            self.doubtful.add((patient, action))

    def _settle_doubt(self, kept: Counter[tuple[str, str]]) -> None:
        there = self.doubtful & kept.keys()
        if len(there) > 1:
            self.wrong.append(f"{len(there)} refused actions are there")
        self.acknowledged |= there
        self.doubtful.clear()
