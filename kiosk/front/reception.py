"""The reception: one person at a time, from the tap to the screen, over the journey service.

A card comes in by `tap()` or `refuse_card()`, and `gesture.py` says whether the screen is about it. A tap shows its
person at once, and acts a moment later (`visitor.SETTLE_S`), unless the card of another person comes meanwhile. A
press comes in by `act()`, which returns after the commit. The person on the screen leaves by a press, by the next tap,
or when the time is up.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from kiosk.front import visitor as visitors
from kiosk.front.counter import DemoCard, PressResult
from kiosk.front.gesture import NO_GESTURE, Effect, Gesture, HeldCard, Rank
from kiosk.front.latest import LatestSlot
from kiosk.front.offer import Misplaced, Press
from kiosk.front.present_screen import NO_READER, NOT_ENROLLED, STORE_FAULT, PresentScreen
from kiosk.front.screen import Lookup, Screen, ScreenKind
from kiosk.front.visitor import ATTRACT, HOLD_ONE_CARD, LIFT_AGAIN, LOOKUP_S, SETTLE_S, Visitor
from kiosk.journey.journeys import ActionOutcome, CardRefused, Journeys
from kiosk.journey.this_kiosk import NotEnrolled
from kiosk.store.patients import Patient
from sync.cards import CardHash
from sync.ids import new_id
from sync.journey.model import PatientId

log = logging.getLogger(__name__)

PROBE_S = 2.0  # how often a store that refused a write is probed
FENCED = "The centre does not accept this kiosk. Its unsent actions are kept. Run kiosk enroll."


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
    ) -> None:
        """`hash_card` returns a canonical id's keyed hashes, `automatic` names the actions that a tap does by itself,
        `nudge` tells the sync agent that there is something to push. `look_up` begins to ask the centre about an
        unknown card, and returns False where it cannot ask; the answer comes by `take_lookup`. `monotonic` returns
        seconds."""
        self._journeys = journeys
        self._hash_card = hash_card
        self._automatic = automatic
        self._nudge = nudge
        self._look_up = look_up
        self._monotonic = monotonic
        self._present_screen = PresentScreen(journeys, monotonic)
        self._changed = threading.Condition(threading.RLock())
        self._gesture = NO_GESTURE
        self._probe_s = 0.0  # the time of the next probe of a failed store
        self._stopping = False
        self._demo_cards: tuple[DemoCard, ...] = ()
        self._present: Callable[[str], str | None] | None = None
        self._timer: threading.Thread | None = None

    # The reader's side.

    def tap(self, card: str, reader: str = "") -> Screen:
        """Takes a usable card that came to a reader, by its canonical id. The tap acts after the returned screen."""
        with self._changed, self._journeys.hold_store():
            try:
                cards = self._hash_card(card)
                holder = self._journeys.holder(cards)
            except sqlite3.Error as error:
                return self._store_failed(error)
            if isinstance(holder, CardRefused):
                return self.refuse_card(holder.reason, reader)
            if holder is None:
                effect = self._take_gesture(*self._gesture.with_card(reader, HeldCard(Rank.UNKNOWN, cards)))
                if effect is Effect.HOLD_ONE:
                    self._ask_centre(cards)  # one of the two may be a patient's
                return self._take_effect(effect, lambda: self._unknown_card(cards))
            # This kiosk made a provisional patient for the card. Nobody knows yet whose it is.
            rank = Rank.UNKNOWN if holder.provisional else Rank.KNOWN
            effect = self._take_gesture(*self._gesture.with_card(reader, HeldCard(rank, holder.patient_id)))
            acts_s = self._monotonic() + SETTLE_S
            return self._take_effect(effect, lambda: visitors.settling(holder.patient_id, cards, acts_s))

    def refuse_card(self, reason: str, reader: str = "") -> Screen:
        """Takes a card that cannot be used. Only the reason is stored."""
        with self._changed:
            try:
                self._journeys.note_refused_tap(reason)
            except sqlite3.Error as error:
                return self._store_failed(error)
            card = HeldCard(Rank.REFUSED, reason)
            effect = self._take_gesture(*self._gesture.with_card(reader, card, reason == LIFT_AGAIN))
            return self._take_effect(effect, lambda: visitors.refused_card(reason))

    def clear_field(self, reader: str) -> None:
        """Notes that no card has been in the field of a reader for a second."""
        with self._changed:
            self._take_gesture(self._gesture.without_cards(reader))
            # The hand that lifts a card is there.
            self._visitor = self._visitor.touched(self._monotonic()) if not self._visitor.veiled else self._visitor
            self._changed.notify_all()

    def fields(self) -> tuple[str, ...]:
        """Returns the names of the readers that hold a card, or held one within the last second."""
        with self._changed:
            return tuple(sorted(self._gesture.readers))

    def await_clear_fields(self, timeout_s: float) -> bool:
        """Waits until no reader holds a card. False where one still does."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._gesture.readers, timeout_s)

    def await_settled(self, timeout_s: float) -> Screen:
        """Waits until the tap on the screen has acted. Returns the screen then, or after the time."""
        with self._changed:
            self._changed.wait_for(lambda: self._visitor.is_settled, timeout_s)
            return self._current_screen()

    def set_readers_ready(self, ready: bool) -> None:
        """Notes whether any reader can take a tap."""
        with self._changed:
            if ready != self._present_screen.readers_ready:
                self._present_screen.readers_ready = ready
                self._show_again(self._visitor)

    def attach_simulated(self, cards: tuple[DemoCard, ...], present: Callable[[str], str | None]) -> None:
        """Attaches a simulated reader: its cards for the page, and how to hold one (by its id) to it."""
        self._demo_cards, self._present = cards, present

    # The centre's side.

    def update(self, patient_ids: frozenset[PatientId], online: bool) -> None:
        """Takes news of the sync agent: these patients have changed, and the centre is online or not."""
        with self._changed:
            has_turned, self._present_screen.online = online != self._present_screen.online, online
            concerns_visitor = self._update_visitor() or has_turned or self._visitor.patient_id in patient_ids
            if concerns_visitor or (patient_ids and self._present_screen.lines_moved()):
                self._show_again(self._visitor)

    def take_lookup(self, cards: tuple[CardHash, ...], answer: Lookup) -> None:
        """Takes the centre's answer about an unknown card. A patient who was found is in the store already."""
        with self._changed, self._journeys.hold_store():
            asks = self._visitor.lookup is Lookup.ASKED and self._visitor.cards == cards
            try:
                holder = self._journeys.holder(cards)
            except sqlite3.Error as error:
                self._store_failed(error)
                return
            if isinstance(holder, CardRefused):
                if asks:
                    self._show(visitors.refused_card(holder.reason))
            elif holder is not None:
                self._take_found(cards, holder, asks)
            elif asks:
                self._show(replace(self._visitor, lookup=answer))
            # The person may have checked in before the answer came.
            self._update_visitor()

    def reset(self) -> None:
        """Clears the screen after an enrolment: the kiosk is another one, and the centre has not answered it yet."""
        with self._changed:
            self._present_screen.online = False
            self._show(ATTRACT)

    # The screen's side: kiosk.front.counter.Counter.

    def screen(self) -> Screen:
        """Returns the screen of this moment."""
        with self._changed:
            return self._current_screen()

    def act(self, press: Press) -> PressResult:
        """Does the offered action for the patient on the screen, and returns after its commit."""
        with self._changed, self._journeys.hold_store():
            # The store may hold changes that `update` has not reported yet.
            self._update_visitor()
            visitor = self._visitor
            if misplaced := self._misplaced(press):
                return PressResult(self._current_screen(), error=_MISPLACED[misplaced], code=misplaced)
            try:
                self._mark_reversals_seen()
                outcome = self._act(visitor, press)
            except sqlite3.Error as error:
                return PressResult(self._store_failed(error), error="It could not be saved.", code="store")
            self._present_screen.answer(press)
            if isinstance(outcome, CardRefused):
                screen = self._show(visitors.refused_card(outcome.reason))
                return PressResult(screen, error="The card was reported lost.", code=outcome.reason)
            screen = self._show(_visitor_after_press(visitor, outcome))
        if outcome.refusal:
            return PressResult(screen, error=outcome.refusal.message, code=outcome.refusal.code)
        self._nudge()
        return PressResult(screen, action_id=outcome.action_ids[0])

    def keep(self, stay: str) -> Screen:
        """Gives the person of that stay more time."""
        return self._for_person(stay, lambda visitor: visitor.extend_time(self._monotonic()))

    def leave(self, stay: str) -> Screen:
        """Clears the screen: the person of that stay is done."""
        return self._for_person(stay, lambda _: ATTRACT)

    def touch(self, stay: str) -> Screen:
        """Notes that the person of that stay has touched the glass. Hidden data comes back."""
        return self._for_person(stay, lambda visitor: visitor)

    def set_pace(self, stay: str, slow: bool) -> Screen:
        """Gives the person of that stay, or the next one, more time for everything, or the usual time."""
        with self._changed:
            if stay == self._visitor.stay:
                self._present_screen.set_pace(slow)
            return self._for_person(stay, lambda visitor: visitor)

    def subscribe(self) -> AbstractContextManager[LatestSlot[Screen]]:
        """Subscribes to the screens as they change."""
        return self._present_screen.subscribe()

    def demo_cards(self) -> tuple[DemoCard, ...]:
        """Returns the cards of the simulated reader."""
        return self._demo_cards

    def present(self, uid: str) -> str | None:
        """Holds a card to the simulated reader. Returns an error message, or None."""
        return self._present(uid) if self._present else "This kiosk has no simulated reader."

    def faults(self) -> tuple[str, ...]:
        """Returns the faults that keep the kiosk from accepting taps, in English."""
        with self._changed:
            fault, identity = self._present_screen.fault(), self._journeys.identity
        if fault == NOT_ENROLLED and identity is not None:
            return (FENCED,)
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
        self._present_screen.close()

    def tick(self) -> float | None:
        """Does the work that is due now. Returns the seconds until more work is due; None where none is."""
        with self._changed:
            now_s = self._monotonic()
            if self._visitor.acts_in_s(now_s) == 0:
                self._act_on_tap()
            if self._visitor.lookup_ends_in_s(now_s) == 0:
                self._show(replace(self._visitor, lookup=Lookup.UNAVAILABLE))
            if self._visitor.seen_in_s(now_s) == 0:
                self._try_to_mark_reversals_seen()
            if self._present_screen.store_fault:
                return self._probe_store(now_s)
            if self._visitor.is_over(now_s):
                self._show(ATTRACT)
            if self._present_screen.hides_in_s(now_s) == 0:
                self._show_again(replace(self._visitor, veiled=True))
            waits = (self._visitor.next_change_s(now_s), self._present_screen.hides_in_s(now_s))
            return min((wait for wait in waits if wait is not None), default=None)

    def _run(self) -> None:
        with self._changed:
            while not self._stopping:
                self._changed.wait(self.tick())

    def _probe_store(self, now_s: float) -> float | None:
        if now_s < self._probe_s:
            return self._probe_s - now_s
        try:
            self._journeys.probe()
        except sqlite3.Error:
            self._probe_s = now_s + PROBE_S
            return PROBE_S
        log.info("the database accepts writes again")
        self._present_screen.store_fault = False
        self._show(ATTRACT)
        return None

    # The methods below need the lock `_changed`.

    def _take_effect(self, effect: Effect, visitor: Callable[[], Visitor]) -> Screen:
        """Shows what a card has made of its gesture: the screen of `visitor`, the same screen, or "one card"."""
        if effect is Effect.HOLD_ONE:
            return self._hold_one_card()
        return self._show(visitor()) if effect is Effect.SHOW else self._current_screen()

    def _hold_one_card(self) -> Screen:
        try:
            self._journeys.note_refused_tap(HOLD_ONE_CARD)
        except sqlite3.Error as error:
            return self._store_failed(error)
        return self._show(visitors.refused_card(HOLD_ONE_CARD))

    def _unknown_card(self, cards: tuple[CardHash, ...]) -> Visitor:
        """The holder of an unknown card. The centre is asked where it answers; the first screen does not wait."""
        ends_s = self._monotonic() + LOOKUP_S if self._ask_centre(cards) else None
        return visitors.unknown_card(PatientId(f"card-{new_id()}"), cards, ends_s)

    def _ask_centre(self, cards: tuple[CardHash, ...]) -> bool:
        return self._present_screen.online and self._look_up(cards)

    def _take_found(self, cards: tuple[CardHash, ...], holder: Patient, asks: bool) -> None:
        """Shows the patient whom the centre named for a card, where the screen or the gesture is about that card."""
        if holder.provisional:
            return
        patient_id = holder.patient_id
        effect = self._take_gesture(*self._gesture.with_found(cards, patient_id))
        if effect is Effect.HOLD_ONE:
            self._hold_one_card()
        elif asks or (effect is Effect.SHOW and self._visitor.reason == HOLD_ONE_CARD):
            self._show(visitors.settling(patient_id, cards, self._monotonic() + SETTLE_S))

    def _act_on_tap(self) -> None:
        """Does the automatic actions of the tap on the screen, and shows the person after them."""
        cards = self._visitor.cards
        with self._journeys.hold_store():
            try:
                outcome = self._journeys.tap(cards, self._automatic())
            except NotEnrolled:
                self._show(ATTRACT)
                return
            except sqlite3.Error as error:
                self._store_failed(error)
                return
            has_written = isinstance(outcome, ActionOutcome) and bool(outcome.action_ids)
            # Only a tap that wrote a row proves that the disk takes writes again.
            self._present_screen.store_fault = self._present_screen.store_fault and not has_written
            self._show(self._visitor_after_tap(outcome, cards))
        if has_written:
            self._nudge()

    def _visitor_after_tap(self, outcome: ActionOutcome | CardRefused | None, cards: tuple[CardHash, ...]) -> Visitor:
        if isinstance(outcome, CardRefused):
            return visitors.refused_card(outcome.reason)
        if outcome is None:
            return self._unknown_card(cards)
        shown = visitors.journey(outcome.patient_id, cards, tapped_again=not outcome.action_ids)
        return replace(shown, done=outcome.done)

    def _update_visitor(self) -> bool:
        """Shows the patient that the tapped card means now. Returns whether that is another one than on the screen.

        The time of the screen goes on. Where the card no longer means that patient, the screen becomes free: the holder
        may neither act nor read as them.
        """
        visitor = self._visitor
        if visitor.tapped_id is None:
            return False
        try:
            patient_id = self._journeys.current_patient(visitor.tapped_id, visitor.cards)
        except sqlite3.Error:
            return False
        if patient_id == visitor.patient_id:
            return False
        if patient_id:
            self._show_again(replace(visitor, patient_id=patient_id))
        else:
            self._show(ATTRACT)
        return True

    def _act(self, visitor: Visitor, press: Press) -> ActionOutcome | CardRefused:
        assert visitor.patient_id is not None
        action_type, action_id, cards = press.action_type, press.action_id, visitor.cards
        if visitor.kind is ScreenKind.UNKNOWN_CARD:
            return self._journeys.check_in_unknown(visitor.patient_id, cards, action_type, action_id)
        return self._journeys.act(visitor.patient_id, action_type, action_id, dict(press.payload), cards)

    def _try_to_mark_reversals_seen(self) -> None:
        try:
            self._mark_reversals_seen()
        except sqlite3.Error as error:
            self._store_failed(error)

    def _mark_reversals_seen(self) -> None:
        """Notes that the person has seen the reversals on the screen. No later screen shows them."""
        if self._visitor.reversals and not self._visitor.reversals_seen:
            self._journeys.mark_reversals_seen(self._visitor.reversals)
            self._visitor = replace(self._visitor, reversals_seen=True)

    def _store_failed(self, error: sqlite3.Error) -> Screen:
        # The message of an SQLite error names tables at most, never their content.
        log.error("the database refused an access: %s", error)
        self._present_screen.store_fault = True
        # The person reads that nothing was saved. A probe that succeeds at once would leave the tap without a word.
        self._probe_s = self._monotonic() + PROBE_S
        return self._show(ATTRACT)

    def _misplaced(self, press: Press) -> Misplaced | None:
        if self._present_screen.fault() or self._visitor.acts_s is not None:
            return Misplaced.CONFLICT
        rule = self._journeys.definitions.actions.get(press.action_type)
        if rule and rule.proof:
            # A payment terminal reports it, and no finger: nothing on the screen stands for it.
            return None if press.patient_id == self._visitor.patient_id else Misplaced.CONFLICT
        return self._present_screen.misplaced(press)

    def _for_person(self, stay: str, change: Callable[[Visitor], Visitor]) -> Screen:
        """Shows the change of the person of a stay. A finger of somebody who has gone changes nothing."""
        with self._changed:
            if stay != self._visitor.stay:
                return self._current_screen()
            self._try_to_mark_reversals_seen()
            return self._show_again(change(self._visitor.touched(self._monotonic())))

    @property
    def _visitor(self) -> Visitor:
        return self._present_screen.visitor

    @_visitor.setter
    def _visitor(self, visitor: Visitor) -> None:
        self._present_screen.visitor = visitor

    def _show(self, visitor: Visitor) -> Screen:
        return self._shown(self._present_screen.show(visitor))

    def _show_again(self, visitor: Visitor) -> Screen:
        """Shows the person on the screen with something changed. The time goes on."""
        return self._shown(self._present_screen.show(visitor, goes_on=True))

    def _shown(self, screen: Screen) -> Screen:
        if self._visitor.kind is ScreenKind.ATTRACT:
            self._take_gesture(self._gesture.without_person())
        self._changed.notify_all()
        return screen

    def _current_screen(self) -> Screen:
        return self._present_screen.current()

    def _take_gesture(self, gesture: Gesture, effect: Effect = Effect.KEEP) -> Effect:
        self._gesture = gesture
        self._present_screen.card_is_here = bool(gesture.fields)
        return effect


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


def _visitor_after_press(before: Visitor, outcome: ActionOutcome) -> Visitor:
    after = visitors.journey(outcome.patient_id, before.cards)
    tapped_id = before.tapped_id or outcome.patient_id
    refused = outcome.refusal is not None
    return replace(after, stay=before.stay, tapped_id=tapped_id, refused=refused, done=outcome.done)
