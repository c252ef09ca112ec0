"""A reception on a real store, with clocks that a test moves, and the centre's verdicts and pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiosk.front.counter import PressResult
from kiosk.front.offer import DEAD_S, Press
from kiosk.front.reception import Reception
from kiosk.front.screen import Screen, ScreenKind
from kiosk.front.visitor import SETTLE_S
from kiosk.store.sqlite import Store
from sync.cards import CardHash
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import Code, DeskWord, PatientRow, Verdict, VerdictRow
from sync.words.words import NoteKind
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import Clock


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def hold_card(reception: Reception, seconds: Seconds, card: str, reader: str = "") -> Screen:
    """Holds a card to a reader until the tap has acted, takes it away, and returns the screen."""
    shown = reception.tap(card, reader)
    if shown.settling or shown.screen is ScreenKind.OUT_OF_ORDER:
        seconds.now += SETTLE_S
        reception.tick()
    screen = reception.screen()
    reception.clear_field(reader)
    return screen


def noted(screen: Screen) -> tuple[NoteKind, ...]:
    """Returns what the notes of a screen are about."""
    assert screen.said is not None
    return tuple(note.kind for note in screen.said.notes)


def title(screen: Screen) -> str:
    """Returns the English headline of a patient's screen."""
    assert screen.said is not None
    return screen.said.title.text


class ReceptionRig:
    """A reception on a real store, and its clocks."""

    def __init__(
        self, directory: Path, automatic: tuple[str, ...] = ("scan_nfc",), visit_url: str = "", *, is_desk: bool = False
    ) -> None:
        self._visit_url = visit_url
        self._is_desk = is_desk
        self.said: list[tuple[DeskWord, str, CardHash | None, str]] = []  # words about cards for the desk
        self.clock = Clock()
        self.seconds = Seconds()
        self.nudges = 0
        self.asked: list[tuple[CardHash, ...]] = []  # the cards that the centre is asked about
        self.can_ask = True
        self._automatic = automatic
        samples.enrolled(directory, self.clock).store.close()
        self.open(directory)

    def open(self, directory: Path) -> None:
        """Starts the reception on the existing store."""
        self.store = Store(directory / "kiosk.db")
        self.parts = KioskParts(self.store, self.clock, shows_visits=bool(self._visit_url))
        self.journeys, self.ledger = self.parts.journeys, self.parts.ledger
        self.reception = Reception(
            self.journeys,
            samples.KEYS.hashes,
            lambda: self._automatic,
            self._nudge,
            self._look_up,
            self.seconds,
            self._visit_url,
            self._say,
            is_desk=self._is_desk,
        )

    def _nudge(self) -> None:
        self.nudges += 1

    def _look_up(self, cards: tuple[CardHash, ...]) -> bool:
        if self.can_ask:
            self.asked.append(cards)
        return self.can_ask

    def _say(self, word: DeskWord, ask_id: str, card: CardHash | None, short_uid: bool, reason: str) -> bool:
        if self.can_ask:
            self.said.append((word, ask_id, card, reason))
        return self.can_ask

    def tap(self, uid: str, reader: str = "") -> Screen:
        """Holds a card to a reader until the tap has acted, takes it away, and returns the screen."""
        return hold_card(self.reception, self.seconds, uid, reader)

    def refuse(self, reason: str, reader: str = "") -> Screen:
        """Holds a card that cannot be used to a reader, takes it away, and returns the screen."""
        screen = self.reception.refuse_card(reason, reader)
        self.reception.clear_field(reader)
        return screen

    def settle(self) -> None:
        """Lets the time pass in which a second card may come."""
        self.seconds.now += SETTLE_S
        self.reception.tick()

    def press(self, screen: Screen) -> Screen:
        """Presses the button of a screen, and returns the screen after it."""
        assert screen.patient is not None
        assert screen.next_action is not None
        acted = self.act(screen.next_action, screen.patient.patient_id, offer=screen.offer)
        assert acted.error is None
        return acted.screen

    def act(
        self, action_type: str, patient_id: str, action_id: str | None = None, offer: str | None = None
    ) -> PressResult:
        """Presses a button for that action and patient, as soon as it lives. Without `offer` it is the present one."""
        offer = offer or self.reception.screen().offer or "no offer"
        self.seconds.now += DEAD_S
        return self.reception.act(Press(offer, patient_id, action_type, action_id or new_id()))

    def keep(self) -> Screen:
        """Presses "keep using", and returns the screen after it."""
        return self.reception.keep(self.reception.screen().stay)

    def leave(self) -> Screen:
        """Presses "home", and returns the screen after it."""
        return self.reception.leave(self.reception.screen().stay)

    def judge(self, verdict: Verdict, code: Code) -> None:
        """Writes one verdict for every pending action, and updates the reception."""
        with self.store.read() as db:
            rows = db.execute("select action_id, seq, patient_id from outbox where status = 'pending'").fetchall()
        verdicts = [
            VerdictRow(action_id=r["action_id"], seq=r["seq"], verdict=verdict, code=code, patient_id=r["patient_id"])
            for r in rows
        ]
        self.reception.update(self.ledger.retire(verdicts), online=True)

    def rebind(self) -> frozenset[PatientId]:
        """Writes the verdict "rebound" for every pending action. The reception is not updated."""
        with self.store.read() as db:
            rows = db.execute("select action_id, seq from outbox where status = 'pending'").fetchall()
        return self.ledger.retire(
            [
                VerdictRow(action_id=r["action_id"], seq=r["seq"], verdict=Verdict.NEEDS_STAFF, code=Code.REBOUND)
                for r in rows
            ]
        )

    def pull(self, *rows: PatientRow, **changes: Any) -> frozenset[PatientId]:
        """Adopts the next page. The reception is not updated."""
        identity = self.journeys.identity
        assert identity is not None
        page = samples.page(*rows, from_cursor=identity.cursor, cursor=identity.cursor + 1, **changes)
        touched = self.ledger.adopt(page)
        assert touched is not None
        return touched
