"""The reception: one person at a time, from the tap to the screen, over the journey service.

A card comes in by `tap()` or `refuse_card()`: `card_desk.py` says whose it is, and `gesture.py` whether the screen is
about it. A tap shows its person at once, and acts a moment later (`visitor.SETTLE_S`), unless the card of another
person comes meanwhile. A press comes in by `act()`, which returns after the commit. The person on the screen leaves by
a press, by the next tap, or when the time is up. The screen itself is `present_screen.py`'s.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from msgspec.structs import replace

from kiosk.front import visitor as visitors
from kiosk.front.card_desk import CardDesk
from kiosk.front.counter import DemoCard, PressResult
from kiosk.front.desk_cards import DeskCards, Say, say_nothing
from kiosk.front.latest import LatestSlot
from kiosk.front.offer import Misplaced, Press
from kiosk.front.present_screen import NO_READER, NOT_ENROLLED, STORE_FAULT, PresentScreen
from kiosk.front.screen import Lookup, Screen, ScreenKind
from kiosk.front.visitor import ATTRACT, Visitor
from kiosk.journey.journeys import ActionOutcome, CardRefused, Journeys
from sync.cards import CardHash
from sync.journey.model import PatientId
from sync.protocol import DeskAsk, DeskWord
from sync.visit_code import VisitCode

ENDED = "The centre has ended this kiosk. Its unsent actions are kept. Run kiosk enroll."


class Reception:
    """What the daemon does at a tap, a press and a timeout: its `kiosk.front.counter.Counter`. Safe from any thread."""

    def __init__(
        self,
        journeys: Journeys,
        hash_card: Callable[[str], tuple[CardHash, ...]],
        automatic: Callable[[], Sequence[str]],
        nudge: Callable[[], None],
        look_up: Callable[[tuple[CardHash, ...]], bool] = lambda _: False,
        monotonic: Callable[[], float] = time.monotonic,
        visit_url: str = "",
        say: Say = say_nothing,
        *,
        is_desk: bool = False,
    ) -> None:
        """`hash_card` returns a canonical id's keyed hashes, `automatic` names the actions that a tap does by itself,
        `nudge` tells the sync agent that there is something to push. `look_up` begins to ask the centre about an
        unknown card, and returns False where it cannot ask; the answer comes by `take_lookup`. `monotonic` returns
        seconds. `visit_url` is the centre's public URL, for the codes of visits. `say` tells the
        centre a word about a card for the desk; the answer comes by `take_desk_answer`. `is_desk`: every card is for
        the desk."""
        self._journeys = journeys
        self._nudge = nudge
        self._monotonic = monotonic
        self._changed = threading.Condition(threading.RLock())
        self._present = PresentScreen(journeys, self._changed.notify_all, monotonic, visit_url, is_desk=is_desk)
        self._card_desk = CardDesk(journeys, self._present, hash_card, automatic, nudge, look_up, monotonic)
        self._desk = DeskCards(journeys, self._present, hash_card, say, monotonic)
        self._stopping = False
        self._demo_cards: tuple[DemoCard, ...] = ()
        self._hold_demo_card: Callable[[str], str | None] | None = None
        self._timer: threading.Thread | None = None

    # The reader's side.

    def tap(self, card: str, reader: str = "") -> Screen:
        """Takes a usable card that came to a reader, by its canonical id. The tap acts after the returned screen."""
        with self._changed, self._journeys.hold_store():
            taking = self._desk if self._desk.takes_cards else self._card_desk
            return taking.tap(card, reader)

    def refuse_card(self, reason: str, reader: str = "") -> Screen:
        """Takes a card that cannot be used. Only the reason is stored."""
        with self._changed:
            taking = self._desk if self._desk.takes_cards else self._card_desk
            return taking.refuse(reason, reader)

    def clear_field(self, reader: str) -> None:
        """Notes that no card has been in the field of a reader for a second."""
        with self._changed:
            self._card_desk.clear_field(reader)
            self._changed.notify_all()

    def fields(self) -> tuple[str, ...]:
        """Returns the names of the readers that hold a card, or held one within the last second."""
        with self._changed:
            return tuple(sorted(self._present.gesture.readers))

    def await_clear_fields(self, timeout_s: float) -> bool:
        """Waits until no reader holds a card. False where one still does."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._present.gesture.readers, timeout_s)

    def await_settled(self, timeout_s: float) -> Screen:
        """Waits until the tap on the screen has acted. Returns the screen then, or after the time."""
        with self._changed:
            self._changed.wait_for(lambda: self._visitor.is_settled, timeout_s)
            return self._present.current()

    def set_readers_ready(self, ready: bool) -> None:
        """Notes whether any reader can take a tap."""
        with self._changed:
            if ready != self._present.readers_ready:
                self._present.readers_ready = ready
                self._present.show_again()

    def attach_simulated(self, cards: tuple[DemoCard, ...], present: Callable[[str], str | None]) -> None:
        """Attaches a simulated reader: its cards for the page, and how to hold one (by its id) to it."""
        self._demo_cards, self._hold_demo_card = cards, present

    # The centre's side.

    def update(self, patient_ids: frozenset[PatientId], online: bool) -> None:
        """Takes news of the sync agent: these patients have changed, and the centre is online or not."""
        with self._changed:
            has_turned, self._present.online = online != self._present.online, online
            if self._present.follow_card():
                return
            concerns_visitor = has_turned or self._visitor.patient_id in patient_ids
            if concerns_visitor or (patient_ids and self._present.lines_moved()):
                self._present.show_again()

    def take_lookup(self, cards: tuple[CardHash, ...], answer: Lookup) -> None:
        """Takes the centre's answer about an unknown card. A patient who was found is in the store already."""
        with self._changed, self._journeys.hold_store():
            self._card_desk.take_lookup(cards, answer)

    def await_desk_card(self, ask: DeskAsk | None) -> None:
        """Takes what a page of the centre says of a card that the desk awaits here; None where it awaits none."""
        with self._changed:
            self._desk.hear(ask)

    def take_desk_answer(self, word: DeskWord, ask_id: str, counts: bool | None) -> None:
        """Takes the centre's answer to a word about a card for the desk; None where none came."""
        with self._changed:
            self._desk.take_answer(word, ask_id, counts)

    def reset(self) -> None:
        """Clears the screen after an enrolment: the kiosk is another one, and the centre has not answered it yet."""
        with self._changed:
            self._present.online = False
            self._desk.hear(None)
            self._present.show(ATTRACT)

    # The screen's side: kiosk.front.counter.Counter.

    def screen(self) -> Screen:
        """Returns the screen of this moment."""
        with self._changed:
            return self._present.current()

    def act(self, press: Press) -> PressResult:
        """Does the offered action for the patient on the screen, and returns after its commit."""
        with self._changed, self._journeys.hold_store():
            # The store may hold changes that `update` has not reported yet.
            self._present.follow_card()
            visitor = self._visitor
            if misplaced := self._misplaced(press):
                return PressResult(self._present.current(), error=_MISPLACED[misplaced], code=misplaced)
            try:
                self._present.mark_reversals_seen()
                outcome = self._act(visitor, press)
            except sqlite3.Error as error:
                return PressResult(self._present.store_failed(error), error="It could not be saved.", code="store")
            self._present.answer(press)
            if isinstance(outcome, CardRefused):
                screen = self._present.show(visitors.refused_card(outcome.reason))
                return PressResult(screen, error="The card was reported lost.", code=outcome.reason)
            screen = self._present.show(_visitor_after_press(visitor, outcome, self._present.visit_code(outcome)))
        if outcome.refusal:
            return PressResult(screen, error=outcome.refusal.message, code=outcome.refusal.code)
        self._nudge()
        return PressResult(screen, action_id=outcome.action_ids[0])

    def keep(self, stay: str) -> Screen:
        """Gives the person of that stay more time."""
        return self._for_person(stay, lambda visitor: visitor.extend_time(self._monotonic()))

    def leave(self, stay: str) -> Screen:
        """Clears the screen: the person of that stay is done."""
        with self._changed:
            if stay == self._visitor.stay:
                self._desk.leave()
        return self._for_person(stay, lambda _: ATTRACT)

    def touch(self, stay: str) -> Screen:
        """Notes that the person of that stay has touched the glass. Hidden data comes back."""
        return self._for_person(stay, lambda visitor: visitor)

    def set_pace(self, stay: str, slow: bool) -> Screen:
        """Gives the person of that stay, or the next one, more time for everything, or the usual time."""
        with self._changed:
            if stay == self._visitor.stay:
                self._present.set_pace(slow)
            return self._for_person(stay, lambda visitor: visitor)

    def subscribe(self) -> AbstractContextManager[LatestSlot[Screen]]:
        """Subscribes to the screens as they change."""
        return self._present.subscribe()

    def demo_cards(self) -> tuple[DemoCard, ...]:
        """Returns the cards of the simulated reader."""
        return self._demo_cards

    def present(self, uid: str) -> str | None:
        """Holds a card to the simulated reader. Returns an error message, or None."""
        return self._hold_demo_card(uid) if self._hold_demo_card else "This kiosk has no simulated reader."

    def faults(self) -> tuple[str, ...]:
        """Returns the faults that keep the kiosk from accepting taps, in English. A small write tries the store."""
        with self._changed:
            self._present.doubt_store()
            fault, identity = self._present.fault(), self._journeys.identity
        if fault == NOT_ENROLLED and identity is not None:
            return (ENDED,)
        return (_FAULTS[fault],) if fault else ()

    # Time.

    def start(self) -> None:
        """Starts the thread that lets taps act, clears the screen when the time is up, and probes a failed store."""
        self._timer = threading.Thread(target=self._run, name="reception", daemon=True)
        self._timer.start()

    def stop(self) -> None:
        """Ends the thread and every subscription. A tap that has not acted yet acts now."""
        with self._changed:
            if self._visitor.acts_s is not None:
                self._act_on_tap()
            self._stopping = True
            self._changed.notify_all()
        if self._timer:
            self._timer.join(1.0)
        self._present.close()

    def tick(self) -> float | None:
        """Does the work that is due now. Returns the seconds until more work is due; None where none is."""
        with self._changed:
            now_s = self._monotonic()
            if self._visitor.acts_in_s(now_s) == 0:
                self._act_on_tap()
            if self._visitor.lookup_ends_in_s(now_s) == 0:
                self._present.show(replace(self._visitor, lookup=Lookup.UNAVAILABLE))
            if self._visitor.seen_in_s(now_s) == 0:
                self._try_to_mark_reversals_seen()
            if self._present.store_fault:
                return self._present.probe_store()
            if self._visitor.is_over(now_s):
                self._present.show(ATTRACT)
            self._desk.follow()
            if self._present.hides_in_s(now_s) == 0:
                self._present.show_again(replace(self._visitor, veiled=True))
            waits = (self._visitor.next_change_s(now_s), self._present.hides_in_s(now_s))
            return min((wait for wait in waits if wait is not None), default=None)

    def _run(self) -> None:
        with self._changed:
            while not self._stopping:
                self._changed.wait(self.tick())

    # The methods below need the lock `_changed`.

    @property
    def _visitor(self) -> Visitor:
        return self._present.visitor

    def _act_on_tap(self) -> None:
        taking = self._desk if self._visitor.kind is ScreenKind.DESK_CARD else self._card_desk
        taking.act_on_tap()

    def _act(self, visitor: Visitor, press: Press) -> ActionOutcome | CardRefused:
        assert visitor.patient_id is not None
        action_type, action_id, cards = press.action_type, press.action_id, visitor.cards
        if visitor.kind is ScreenKind.UNKNOWN_CARD:
            return self._journeys.check_in_unknown(visitor.patient_id, cards, action_type, action_id)
        return self._journeys.act(visitor.patient_id, action_type, action_id, dict(press.payload), cards)

    def _try_to_mark_reversals_seen(self) -> None:
        try:
            self._present.mark_reversals_seen()
        except sqlite3.Error as error:
            self._present.store_failed(error)

    def _misplaced(self, press: Press) -> Misplaced | None:
        if self._present.fault() or self._visitor.acts_s is not None:
            return Misplaced.CONFLICT
        rule = self._journeys.definitions.actions.get(press.action_type)
        if rule and rule.proof:
            # A payment terminal reports it, and no finger: nothing on the screen stands for it.
            return None if press.patient_id == self._visitor.patient_id else Misplaced.CONFLICT
        return self._present.misplaced(press)

    def _for_person(self, stay: str, change: Callable[[Visitor], Visitor]) -> Screen:
        """Changes the visitor of a stay and shows it. A press of an earlier stay changes nothing."""
        with self._changed:
            if stay != self._visitor.stay:
                return self._present.current()
            self._try_to_mark_reversals_seen()
            return self._present.show_again(change(self._visitor.touched(self._monotonic())))


_MISPLACED = {
    Misplaced.CONFLICT: "That person is not on the screen.",
    Misplaced.STALE: "The screen asks something else now.",
    Misplaced.TOO_SOON: "The screen has only just changed.",
}
_FAULTS = {
    STORE_FAULT: "the database refuses to write",
    NOT_ENROLLED: "this kiosk is not enrolled yet: kiosk enroll",
    NO_READER: "no card reader is ready",
}


def _visitor_after_press(before: Visitor, outcome: ActionOutcome, code: VisitCode | None) -> Visitor:
    after = visitors.journey(outcome.patient_id, before.cards, visit_code=code)
    tapped_id = before.tapped_id or outcome.patient_id
    refused = outcome.refusal is not None
    return replace(after, stay=before.stay, tapped_id=tapped_id, refused=refused, done=outcome.done)
