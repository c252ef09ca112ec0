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
from typing import Any

from kiosk.front import visitor as visitors
from kiosk.front.build_screen import ScreenContext, build_screen
from kiosk.front.counter import DemoCard, PressResult
from kiosk.front.gesture import NO_GESTURE, Effect, HeldCard, Rank
from kiosk.front.latest import Broadcast, LatestSlot
from kiosk.front.screen import Lookup, QueueLine, Screen, ScreenKind
from kiosk.front.visitor import ATTRACT, HOLD_ONE_CARD, LIFT_AGAIN, LOOKUP_S, SETTLE_S, Visitor
from kiosk.journey.journeys import ActionOutcome, CardRefused, Journeys
from kiosk.journey.patient_status import PatientStatus
from kiosk.journey.this_kiosk import NotEnrolled
from kiosk.store.patients import Patient
from sync.cards import CardHash
from sync.ids import new_id
from sync.journey.model import PatientId

log = logging.getLogger(__name__)

PROBE_S = 2.0  # how often a store that refused a write is probed
STORE_FAULT = "store"
NOT_ENROLLED = "not_enrolled"
NO_READER = "reader"
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
        self._broadcast: Broadcast[Screen] = Broadcast()
        self._changed = threading.Condition(threading.RLock())
        self._visitor = ATTRACT
        self._gesture = NO_GESTURE
        self._frame = 0
        self._published: Screen | None = None
        self._online = False
        self._readers_ready = True
        self._store_fault = False
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
                self._gesture, effect = self._gesture.with_card(reader, HeldCard(Rank.UNKNOWN, cards))
                if effect is Effect.HOLD_ONE:
                    self._ask_centre(cards)  # one of the two may be a patient's
                return self._take_effect(effect, lambda: self._unknown_card(cards))
            # This kiosk made a provisional patient for the card. Nobody knows yet whose it is.
            rank = Rank.UNKNOWN if holder.provisional else Rank.KNOWN
            self._gesture, effect = self._gesture.with_card(reader, HeldCard(rank, holder.patient_id))
            acts_s = self._monotonic() + SETTLE_S
            return self._take_effect(effect, lambda: visitors.settling(holder.patient_id, cards, acts_s))

    def refuse_card(self, reason: str, reader: str = "") -> Screen:
        """Takes a card that cannot be used. Only the reason is stored."""
        with self._changed:
            try:
                self._journeys.note_refused_tap(reason)
            except sqlite3.Error as error:
                return self._store_failed(error)
            self._gesture, effect = self._gesture.with_card(
                reader, HeldCard(Rank.REFUSED, reason), reason == LIFT_AGAIN
            )
            return self._take_effect(effect, lambda: visitors.refused_card(reason))

    def clear_field(self, reader: str) -> None:
        """Notes that no card has been in the field of a reader for a second."""
        with self._changed:
            self._gesture = self._gesture.without_cards(reader)
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
            if ready != self._readers_ready:
                self._readers_ready = ready
                self._show(self._visitor)

    def attach_simulated(self, cards: tuple[DemoCard, ...], present: Callable[[str], str | None]) -> None:
        """Attaches a simulated reader: its cards for the page, and how to hold one (by its id) to it."""
        self._demo_cards, self._present = cards, present

    # The centre's side.

    def update(self, patient_ids: frozenset[PatientId], online: bool) -> None:
        """Takes news of the sync agent: these patients have changed, and the centre is online or not."""
        with self._changed:
            has_turned, self._online = online != self._online, online
            concerns_visitor = self._update_visitor() or has_turned or self._visitor.patient_id in patient_ids
            if concerns_visitor or (patient_ids and self._lines_moved()):
                self._show(self._visitor)

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
            if self._update_visitor():
                self._show(self._visitor)

    def reset(self) -> None:
        """Clears the screen after an enrolment: the kiosk is another one, and the centre has not answered it yet."""
        with self._changed:
            self._online = False
            self._show(ATTRACT)

    # The screen's side: kiosk.front.counter.Counter.

    def screen(self) -> Screen:
        """Returns the screen of this moment."""
        with self._changed:
            return self._current_screen()

    def act(
        self, action_type: str, patient_id: str, action_id: str | None, payload: dict[str, Any] | None = None
    ) -> PressResult:
        """Does an action for the patient on the screen, and returns after its commit."""
        with self._changed, self._journeys.hold_store():
            # The store may hold changes that `update` has not reported yet.
            if self._update_visitor():
                self._show(self._visitor)
            visitor = self._visitor
            if visitor.patient_id != patient_id or visitor.acts_s is not None or self._fault():
                return PressResult(
                    self._current_screen(), error="That person is not on the screen.", code="conflict", conflict=True
                )
            try:
                self._mark_reversals_seen()
                outcome = self._act(visitor, action_type, action_id, payload or {})
            except sqlite3.Error as error:
                return PressResult(self._store_failed(error), error="It could not be saved.", code="store")
            if isinstance(outcome, CardRefused):
                screen = self._show(visitors.refused_card(outcome.reason))
                return PressResult(screen, error="The card was reported lost.", code=outcome.reason)
            screen = self._show(_visitor_after_press(visitor, outcome))
        if outcome.refusal:
            return PressResult(screen, error=outcome.refusal.message, code=outcome.refusal.code)
        self._nudge()
        return PressResult(screen, action_id=outcome.action_ids[0])

    def keep(self) -> Screen:
        """Gives the person more time."""
        with self._changed:
            self._try_to_mark_reversals_seen()
            self._visitor = self._visitor.extend_time(self._monotonic())
            return self._show(self._visitor)

    def leave(self) -> Screen:
        """Clears the screen: the person is done."""
        with self._changed:
            self._try_to_mark_reversals_seen()
            return self._show(ATTRACT)

    def subscribe(self) -> AbstractContextManager[LatestSlot[Screen]]:
        """Subscribes to the screens as they change."""
        return self._broadcast.subscribe()

    def demo_cards(self) -> tuple[DemoCard, ...]:
        """Returns the cards of the simulated reader."""
        return self._demo_cards

    def present(self, uid: str) -> str | None:
        """Holds a card to the simulated reader. Returns an error message, or None."""
        return self._present(uid) if self._present else "This kiosk has no simulated reader."

    def faults(self) -> tuple[str, ...]:
        """Returns the faults that keep the kiosk from accepting taps, in English."""
        with self._changed:
            fault, identity = self._fault(), self._journeys.identity
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
        self._broadcast.close()

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
            if self._store_fault:
                return self._probe_store(now_s)
            if self._visitor.is_over(now_s):
                self._show(ATTRACT)
            return self._visitor.next_change_s(now_s)

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
        self._store_fault = False
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
        return self._online and self._look_up(cards)

    def _take_found(self, cards: tuple[CardHash, ...], holder: Patient, asks: bool) -> None:
        """Shows the patient whom the centre named for a card, where the screen or the gesture is about that card."""
        if holder.provisional:
            return
        patient_id = holder.patient_id
        self._gesture, effect = self._gesture.with_found(cards, patient_id)
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
            self._store_fault = self._store_fault and not has_written
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
        """Makes the visitor the patient that the tapped card means now. Returns whether the visitor changed.

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
        self._visitor = replace(visitor, patient_id=patient_id) if patient_id else ATTRACT
        return True

    def _act(
        self, visitor: Visitor, action_type: str, action_id: str | None, payload: dict[str, Any]
    ) -> ActionOutcome | CardRefused:
        assert visitor.patient_id is not None
        if visitor.kind is ScreenKind.UNKNOWN_CARD:
            return self._journeys.check_in_unknown(visitor.patient_id, visitor.cards, action_type, action_id)
        return self._journeys.act(visitor.patient_id, action_type, action_id, payload, visitor.cards)

    def _lines_moved(self) -> bool:
        """Whether other people have moved in a queue on the screen."""
        lines = _lines(self._published)
        return bool(lines) and self._online and _lines(self._current_screen()) != lines

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
        self._store_fault = True
        # The person reads that nothing was saved. A probe that succeeds at once would leave the tap without a word.
        self._probe_s = self._monotonic() + PROBE_S
        return self._show(ATTRACT)

    def _show(self, visitor: Visitor) -> Screen:
        """Makes and publishes the screen of a visitor.

        The time of another visitor than the last starts now, with the patient's reversals on the screen. A screen out
        of order hides them; they then wait for the next screen.
        """
        self._frame += 1
        is_new = visitor is not self._visitor and visitor.kind is not ScreenKind.ATTRACT
        status = self._status(visitor)
        if is_new and status:
            visitor = replace(visitor, reversals=status.reversals)
        screen = self._build_screen(visitor, status)
        if screen.said is None:
            visitor = replace(visitor, reversals=())
        if is_new:
            # An unsettled screen is about to offer a decision, most likely: its time must not jump up and down.
            decides = screen.next_action or not visitor.is_settled
            stay_s = visitors.DECIDE_S if decides else visitors.INFORM_S
            visitor = visitor.start_time(self._monotonic(), stay_s)
            screen = replace(screen, remaining_s=visitor.stay_s)
        if visitor.kind is ScreenKind.ATTRACT:
            self._gesture = self._gesture.without_person()
        self._visitor, self._published = visitor, screen
        self._broadcast.publish(screen)
        self._changed.notify_all()
        return screen

    def _current_screen(self) -> Screen:
        return self._build_screen(self._visitor, self._status(self._visitor))

    def _build_screen(self, visitor: Visitor, status: PatientStatus | None) -> Screen:
        context = ScreenContext(
            self._frame,
            self._journeys.identity,
            self._journeys.definitions,
            self._online,
            self._fault(),
            self._monotonic(),
            self._journeys.clock().wall_ms,
        )
        return build_screen(context, visitor, status)

    def _status(self, visitor: Visitor) -> PatientStatus | None:
        if visitor.kind is not ScreenKind.JOURNEY or visitor.patient_id is None or self._fault():
            return None
        try:
            return self._journeys.patient_status(visitor.patient_id)
        except sqlite3.Error:
            log.exception("the store cannot be read")
            self._store_fault = True
            return None

    def _fault(self) -> str | None:
        if self._store_fault:
            return STORE_FAULT
        identity = self._journeys.identity
        if identity is None or identity.fenced_ms is not None:
            return NOT_ENROLLED
        return None if self._readers_ready else NO_READER


_FAULTS = {
    STORE_FAULT: "the database refuses to write",
    NOT_ENROLLED: "this kiosk is not enrolled yet: kiosk enroll",
    NO_READER: "no card reader is ready",
}


def _lines(screen: Screen | None) -> tuple[QueueLine, ...]:
    return screen.journey.queue_details if screen and screen.journey else ()


def _visitor_after_press(before: Visitor, outcome: ActionOutcome) -> Visitor:
    after = visitors.journey(outcome.patient_id, before.cards)
    tapped_id = before.tapped_id or outcome.patient_id
    return replace(after, tapped_id=tapped_id, refused=outcome.refusal is not None, done=outcome.done)
