"""What a card does at the reception: whose it is, and the tap that acts a moment later.

Not safe from several threads: the reception calls it under its lock.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from kiosk.front import visitor as visitors
from kiosk.front.gesture import Effect, Gesture, HeldCard, Rank
from kiosk.front.present_screen import PresentScreen
from kiosk.front.screen import Lookup, Screen, ScreenKind
from kiosk.front.visitor import ATTRACT, HOLD_ONE_CARD, LIFT_AGAIN, LOOKUP_S, SETTLE_S, Visitor
from kiosk.journey.journeys import ActionOutcome, CardRefused, Journeys
from kiosk.journey.this_kiosk import NotEnrolled
from kiosk.store.patients import Patient
from sync.cards import CardHash, judge_at_site
from sync.ids import provisional_id
from sync.journey.model import PatientId


class CardDesk:
    """Takes the cards that come to the readers, and the centre's answers about unknown ones."""

    def __init__(
        self,
        journeys: Journeys,
        present: PresentScreen,
        hash_card: Callable[[str], tuple[CardHash, ...]],
        automatic: Callable[[], Sequence[str]],
        nudge: Callable[[], None],
        look_up: Callable[[tuple[CardHash, ...]], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """The parameters are those of the reception. `present` is its screen."""
        self._journeys = journeys
        self._present = present
        self._hash_card = hash_card
        self._automatic = automatic
        self._nudge = nudge
        self._look_up = look_up
        self._monotonic = monotonic

    def tap(self, card: str, reader: str) -> Screen:
        """Takes a usable card that came to a reader, by its canonical id. The tap acts after the returned screen."""
        identity = self._journeys.identity
        refused = judge_at_site(card, refuses_short_uids=identity is not None and identity.site.refuse_short_uids)
        if refused is not None:
            return self.refuse(refused.reason, reader)
        try:
            cards = self._hash_card(card)
            holder = self._journeys.holder(cards)
        except sqlite3.Error as error:
            return self._present.store_failed(error)
        if isinstance(holder, CardRefused):
            return self.refuse(holder.reason, reader)
        if holder is None:
            effect = self._take(*self._present.gesture.with_card(reader, HeldCard(Rank.UNKNOWN, cards)))
            if effect is Effect.HOLD_ONE:
                self._ask_centre(cards)  # one of the two may be a patient's
            return self._take_effect(effect, lambda: self._unknown_card(cards))
        # This kiosk made a provisional patient for the card. It is not known yet whose the card is.
        rank = Rank.UNKNOWN if holder.provisional else Rank.KNOWN
        effect = self._take(*self._present.gesture.with_card(reader, HeldCard(rank, holder.patient_id)))
        return self._take_effect(effect, lambda: self._settling(holder.patient_id, cards))

    def refuse(self, reason: str, reader: str) -> Screen:
        """Takes a card that cannot be used. Only the reason is stored."""
        try:
            self._journeys.note_refused_tap(reason)
        except sqlite3.Error as error:
            return self._present.store_failed(error)
        card = HeldCard(Rank.REFUSED, reason)
        effect = self._take(*self._present.gesture.with_card(reader, card, reason == LIFT_AGAIN))
        return self._take_effect(effect, lambda: visitors.refused_card(reason))

    def clear_field(self, reader: str) -> None:
        """Notes that no card has been in the field of a reader for a second."""
        self._take(self._present.gesture.without_cards(reader))
        if not self._present.visitor.veiled:
            # The hand that lifts a card is there.
            self._present.visitor = self._present.visitor.touched(self._monotonic())

    def take_lookup(self, cards: tuple[CardHash, ...], answer: Lookup) -> None:
        """Takes the centre's answer about an unknown card. A patient who was found is in the store already."""
        visitor = self._present.visitor
        asks = visitor.lookup is Lookup.ASKED and visitor.cards == cards
        try:
            holder = self._journeys.holder(cards)
        except sqlite3.Error as error:
            self._present.store_failed(error)
            return
        if isinstance(holder, CardRefused):
            if asks:
                self._present.show(visitors.refused_card(holder.reason))
        elif holder is not None:
            self._take_found(cards, holder, asks)
        elif asks:
            self._present.show(replace(visitor, lookup=answer))
        # The person may have checked in before the answer came.
        self._present.follow_card()

    def act_on_tap(self) -> None:
        """Does the automatic actions of the tap on the screen, and shows the person after them."""
        cards = self._present.visitor.cards
        with self._journeys.hold_store():
            try:
                outcome = self._journeys.tap(cards, self._automatic())
            except NotEnrolled:
                self._present.show(ATTRACT)
                return
            except sqlite3.Error as error:
                self._present.store_failed(error)
                return
            has_written = isinstance(outcome, ActionOutcome) and bool(outcome.action_ids)
            # Only a tap that wrote a row proves that the disk takes writes again.
            self._present.store_fault = self._present.store_fault and not has_written
            self._present.show(self._visitor_after_tap(outcome, cards))
        if has_written:
            self._nudge()

    def _take(self, gesture: Gesture, effect: Effect = Effect.KEEP) -> Effect:
        self._present.gesture = gesture
        return effect

    def _take_effect(self, effect: Effect, visitor: Callable[[], Visitor]) -> Screen:
        """Shows what a card has made of its gesture: the screen of `visitor`, the same screen, or "one card"."""
        if effect is Effect.HOLD_ONE:
            return self._hold_one_card()
        return self._present.show(visitor()) if effect is Effect.SHOW else self._present.current()

    def _hold_one_card(self) -> Screen:
        try:
            self._journeys.note_refused_tap(HOLD_ONE_CARD)
        except sqlite3.Error as error:
            return self._present.store_failed(error)
        return self._present.show(visitors.refused_card(HOLD_ONE_CARD))

    def _settling(self, patient_id: PatientId, cards: tuple[CardHash, ...]) -> Visitor:
        return visitors.settling(patient_id, cards, self._monotonic() + SETTLE_S)

    def _unknown_card(self, cards: tuple[CardHash, ...]) -> Visitor:
        """The holder of an unknown card. The centre is asked where it answers; the first screen does not wait."""
        ends_s = self._monotonic() + LOOKUP_S if self._ask_centre(cards) else None
        before = self._present.visitor
        # The same card once more is the same person, who keeps the stay and with it the settings.
        known_id = before.patient_id if before.kind is ScreenKind.UNKNOWN_CARD and before.cards == cards else None
        return visitors.unknown_card(known_id or PatientId(provisional_id()), cards, ends_s)

    def _ask_centre(self, cards: tuple[CardHash, ...]) -> bool:
        return self._present.online and self._look_up(cards)

    def _take_found(self, cards: tuple[CardHash, ...], holder: Patient, asks: bool) -> None:
        """Shows the patient whom the centre named for a card, where the screen or the gesture is about that card."""
        if holder.provisional:
            return
        visitor = self._present.visitor
        effect = self._take(*self._present.gesture.with_found(cards, holder.patient_id))
        if effect is Effect.HOLD_ONE:
            self._hold_one_card()
        elif asks or (effect is Effect.SHOW and visitor.reason == HOLD_ONE_CARD):
            # The person has been there since the card was held.
            self._present.show(replace(self._settling(holder.patient_id, cards), stay=visitor.stay))

    def _visitor_after_tap(self, outcome: ActionOutcome | CardRefused | None, cards: tuple[CardHash, ...]) -> Visitor:
        if isinstance(outcome, CardRefused):
            return visitors.refused_card(outcome.reason)
        if outcome is None:
            return self._unknown_card(cards)
        return visitors.journey(
            outcome.patient_id,
            cards,
            tapped_again=not outcome.action_ids,
            done=outcome.done,
            visit_code=self._present.visit_code(outcome),
        )
