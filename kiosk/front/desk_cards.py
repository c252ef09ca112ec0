"""Cards for the desk: staff await the next card at this kiosk, or the kiosk is a reader of the desk.

Such a card checks nobody in. Its hash goes to the centre, and staff there decide. The kiosk shows nobody's name, and
judges nobody's card. A wait is shown once nobody is on the screen, so no person before it is disturbed.

Not safe from several threads: the reception calls it under its lock.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from kiosk.front.gesture import Effect, HeldCard, Rank
from kiosk.front.present_screen import PresentScreen
from kiosk.front.screen import DeskCard, DeskState, Screen, ScreenKind
from kiosk.front.visitor import ATTRACT, HOLD_ONE_CARD, LIFT_AGAIN, SETTLE_S, Visitor
from kiosk.journey.journeys import Journeys
from sync.cards import CardHash, judge_at_site
from sync.ids import new_id
from sync.protocol import DeskAsk, DeskWord

LONGEST_S = 60.0  # a wait, whatever the centre says
RESULT_S = 8.0  # what became of a card

# Word, id of the wait, card, whether its UID has 4 bytes, and why a card was refused. False where nothing can be said.
Say = Callable[[DeskWord, str, CardHash | None, bool, str], bool]


def say_nothing(_word: DeskWord, _ask_id: str, _card: CardHash | None, _short_uid: bool, _reason: str) -> bool:
    """For a kiosk without a centre."""
    return False


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait of the desk for a card, and its end (monotonic)."""

    ask_id: str
    until_s: float


class DeskCards:
    """The waits of the desk at this kiosk, and the cards that are held for them."""

    def __init__(
        self,
        journeys: Journeys,
        present: PresentScreen,
        hash_card: Callable[[str], tuple[CardHash, ...]],
        say: Say = say_nothing,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`say` tells the centre a word, later and in order. The other parameters are those of the reception."""
        self._journeys = journeys
        self._present = present
        self._hash_card = hash_card
        self._say = say
        self._monotonic = monotonic
        self._wait: Wait | None = None
        self._known = ""  # the last wait that was begun: a page that comes late begins it no second time

    def hear(self, ask: DeskAsk | None) -> None:
        """Takes what a page of the centre says of a wait; None where it awaits no card."""
        if ask is None:
            self._end_wait()
        elif ask.ask_id != self._known:
            self._known = ask.ask_id
            self._wait = Wait(ask.ask_id, self._monotonic() + min(ask.left_ms / 1000, LONGEST_S))
            if self._is_shown:
                self._present.show(ATTRACT)
            self.follow()

    def follow(self) -> None:
        """Shows a wait as soon as nobody is on the screen. Forgets one that is over."""
        now_s, wait = self._monotonic(), self._wait
        if wait is not None and wait.until_s <= now_s:
            self._wait = wait = None
        if wait is None or self._present.fault() or self._present.visitor.kind is not ScreenKind.ATTRACT:
            return
        self._show(DeskState.WAITS, wait.ask_id, wait.until_s - now_s)
        self._say(DeskWord.SHOWN, wait.ask_id, None, False, "")

    @property
    def takes_cards(self) -> bool:
        """Whether the next card is for the desk."""
        visitor = self._present.visitor
        is_settling = visitor.desk is not None and visitor.acts_s is not None
        return (self._is_shown or is_settling or self._present.is_desk) and not self._present.fault()

    def tap(self, card: str, reader: str) -> Screen:
        """Takes a usable card that came to a reader, by its canonical id. It counts after a moment alone."""
        identity = self._journeys.identity
        refused = judge_at_site(card, refuses_short_uids=identity is not None and identity.site.refuse_short_uids)
        if refused is not None:
            return self.refuse(refused.reason, reader)
        try:
            cards = self._hash_card(card)
        except sqlite3.Error as error:
            return self._present.store_failed(error)
        gesture, effect = self._present.gesture.with_card(reader, HeldCard(Rank.UNKNOWN, cards))
        self._present.gesture = gesture
        if effect is Effect.HOLD_ONE:
            return self._note_refused(HOLD_ONE_CARD)
        if effect is Effect.KEEP:
            return self._present.current()
        short_uid = judge_at_site(card, refuses_short_uids=True) is not None
        return self._read(cards, short_uid=short_uid)

    def refuse(self, reason: str, reader: str) -> Screen:
        """Takes a card that cannot be used. The wait goes on."""
        gesture, effect = self._present.gesture.with_card(reader, HeldCard(Rank.REFUSED, reason), reason == LIFT_AGAIN)
        self._present.gesture = gesture
        return self._note_refused(reason) if effect is Effect.SHOW else self._present.current()

    def act_on_tap(self) -> None:
        """Sends the card on the screen to the centre."""
        visitor = self._present.visitor
        assert visitor.desk is not None
        if self._wait is not None and self._wait.ask_id == visitor.desk.ask_id:  # a newer wait is for another card
            self._wait = None
        # Its result comes within this time, or it is told that it did not arrive.
        self._show(DeskState.SENDS, visitor.desk.ask_id, LONGEST_S, visitor.cards, short_uid=visitor.desk.short_uid)
        ask_id, card = visitor.desk.ask_id, visitor.cards[0]
        if not self._say(DeskWord.CARD, ask_id, card, visitor.desk.short_uid, ""):
            self.take_answer(DeskWord.CARD, ask_id, None)

    def take_answer(self, word: DeskWord, ask_id: str, counts: bool | None) -> None:
        """Takes the centre's answer to a word; None where none came."""
        desk = self._present.visitor.desk
        if word is DeskWord.SHOWN and counts is False and self._wait is not None and self._wait.ask_id == ask_id:
            self._end_wait()
        elif word is DeskWord.CARD and desk is not None and desk.ask_id == ask_id and desk.state is DeskState.SENDS:
            state = {True: DeskState.TAKEN, False: DeskState.LATE, None: DeskState.NOT_SENT}[counts]
            self._show(state, ask_id, RESULT_S)

    def leave(self) -> None:
        """A person at the kiosk ends the wait. Called before the screen becomes free."""
        desk = self._present.visitor.desk
        if desk is not None and desk.state is DeskState.WAITS and self._wait is not None:
            self._wait = None
            self._say(DeskWord.CANCELLED, desk.ask_id, None, False, "")

    @property
    def _is_shown(self) -> bool:
        desk = self._present.visitor.desk
        return desk is not None and desk.state is DeskState.WAITS

    def _end_wait(self) -> None:
        self._wait = None
        if self._is_shown:
            self._present.show(ATTRACT)

    def _read(self, cards: tuple[CardHash, ...], *, short_uid: bool) -> Screen:
        """Shows that a card was read. It goes to the centre once it has been alone for a moment."""
        ask_id = self._wait.ask_id if self._wait is not None else new_id()
        acts_s = self._monotonic() + SETTLE_S
        return self._show(DeskState.SENDS, ask_id, LONGEST_S, cards, acts_s=acts_s, short_uid=short_uid)

    def _note_refused(self, reason: str) -> Screen:
        """Shows why a card cannot be used, and goes on waiting. Tells the desk, where it waits."""
        wait = self._wait
        if wait is None:
            return self._show(DeskState.REFUSED, "", RESULT_S, refused=reason)
        self._say(DeskWord.REFUSED, wait.ask_id, None, False, reason)
        return self._show(DeskState.WAITS, wait.ask_id, max(0.0, wait.until_s - self._monotonic()), refused=reason)

    def _show(
        self,
        state: DeskState,
        ask_id: str,
        stay_s: float,
        cards: tuple[CardHash, ...] = (),
        *,
        acts_s: float | None = None,
        short_uid: bool = False,
        refused: str | None = None,
    ) -> Screen:
        desk = DeskCard(state, ask_id, short_uid)
        shown = Visitor(ScreenKind.DESK_CARD, cards=cards, reason=refused, stay_s=stay_s, acts_s=acts_s, desk=desk)
        before = self._present.visitor
        is_same = before.desk is not None and before.desk.ask_id == ask_id
        return self._present.show(replace(shown, stay=before.stay) if is_same else shown)
