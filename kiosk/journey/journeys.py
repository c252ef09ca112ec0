"""The journey service for people: a tap, a press, and the status of a patient for a screen.

The way of an action: card or press → patient → `apply()` → `decide()` → one transaction (patient, outbox row, audit
row) → commit. The caller announces it after the commit. Nothing here waits for the network.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from kiosk.journey.apply import KioskAction, apply
from kiosk.journey.outcomes import Reversal, mark_seen, read_outcomes
from kiosk.journey.patient_status import PatientStatus, read_patient_status
from kiosk.journey.this_kiosk import ThisKiosk
from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import audit, blocked_cards, outbox, outbox_bodies, patient_aliases, patients
from kiosk.store.identity import Identity
from kiosk.store.patients import Patient
from sync.cards import CardHash
from sync.clock import ClockReading
from sync.journey.definitions import Definitions
from sync.journey.model import ActionId, Decision, Journey, PatientId, Refusal, RefusalCode


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """The result of a tap or a press: the ids of the accepted actions, or the refusal of a press. `done` names the
    last accepted action."""

    patient_id: PatientId
    action_ids: tuple[ActionId, ...] = ()
    refusal: Refusal | None = None
    done: str | None = None


@dataclass(frozen=True, slots=True)
class CardRefused:
    """The result of a tap or a press with a card that opens nobody. `reason` is a code with words on the screen."""

    reason: str


BLOCKED_CARD = CardRefused("blocked_card")  # the card was reported lost


class Journeys:
    """The journey service for people; each method that writes is one transaction. May be called from any thread."""

    def __init__(self, kiosk: ThisKiosk) -> None:
        self._kiosk = kiosk
        self._store = kiosk.store

    @property
    def identity(self) -> Identity | None:
        """Who this kiosk is; None before its enrolment."""
        return self._kiosk.identity

    @property
    def definitions(self) -> Definitions:
        """The rules in force."""
        return self._kiosk.definitions

    def clock(self) -> ClockReading:
        """Reads the clocks of this machine."""
        return self._kiosk.clock()

    def holder(self, cards: Sequence[CardHash]) -> Patient | CardRefused | None:
        """Returns the patient that a card is bound to; None for a card that this kiosk does not know.

        A card that was reported lost is refused.
        """
        with self._store.read() as db:
            if blocked_cards.is_blocked(db, cards):
                return BLOCKED_CARD
            found = patients.read_holder(db, cards)
        return found.patient if found else None

    def tap(self, cards: Sequence[CardHash], automatic: Sequence[str]) -> ActionOutcome | CardRefused | None:
        """Handles a tap of a known card: does the automatic actions that the rules allow now, in the rules' order.

        All of them are one transaction. Returns None where no patient has the card; nothing of the card is stored then.
        A card that was reported lost is refused.
        """
        with self._store.write() as db:
            if blocked_cards.is_blocked(db, cards):
                return self._refuse_blocked(db)
            holder = patients.read_holder(db, cards)
            if holder is None:
                return None
            context, patient = self._kiosk.context(), holder.patient
            if _waits_for_desk(db, context, patient):
                return ActionOutcome(patient.patient_id)
            accepted, done = [], None
            for action_type in context.definitions.actions:
                if action_type not in automatic:
                    continue
                action = KioskAction(action_type, self._kiosk.new_id(), tuple(cards), holder.binding_id)
                patient, decision = apply(db, context, self._kiosk.new_id, patient, action)
                if isinstance(decision, Decision):
                    accepted.append(ActionId(action.action_id))
                    done = action_type
            return ActionOutcome(patient.patient_id, tuple(accepted), done=done)

    def act(
        self,
        patient_id: str,
        action_type: str,
        action_id: str | None,
        payload: dict[str, Any],
        cards: Sequence[CardHash] = (),
    ) -> ActionOutcome:
        """Handles a press after a tap with these cards.

        A repeat with the same action id changes nothing and has the outcome of the first press.
        """
        with self._store.write() as db:
            if earlier := _earlier_outcome(db, patient_id, action_type, action_id):
                return earlier
            patient = patients.read(db, patient_id)
            if patient is None or blocked_cards.is_blocked(db, cards):
                return _refused(patient_id, action_type, self.definitions.initial)
            holder = patients.read_holder(db, cards)
            binding_id = holder.binding_id if holder and holder.patient.patient_id == patient_id else None
            action = KioskAction(action_type, action_id or self._kiosk.new_id(), tuple(cards), binding_id, payload)
            return self._press(db, patient, action)

    def check_in_unknown(
        self, patient_id: PatientId, cards: Sequence[CardHash], action_type: str, action_id: str | None
    ) -> ActionOutcome | CardRefused:
        """Checks the holder of an unknown card in: makes a provisional patient of that id.

        The centre or the desk ties the provisional patient to a real one. Where the action is refused, nothing
        of the card is stored. A card that was reported lost since the tap is refused. Raises NotEnrolled.
        """
        with self._store.write() as db:
            if earlier := _earlier_outcome(db, patient_id, action_type, action_id):
                return earlier
            if blocked_cards.is_blocked(db, cards):
                return self._refuse_blocked(db)
            action = KioskAction(action_type, action_id or self._kiosk.new_id(), tuple(cards))
            # The card may be known since the tap.
            holder = patients.read_holder(db, cards)
            if holder is not None:
                return self._press(db, holder.patient, replace(action, binding_id=holder.binding_id))
            outcome = self._press(db, _provisional_patient(self._kiosk.context(), patient_id), action)
            if not outcome.refusal:
                patients.bind(db, patient_id, [(card, None) for card in cards])
            return outcome

    def note_refused_tap(self, reason: str) -> None:
        """Records that a card could not be used. Nothing of the card itself is stored."""
        with self._store.write() as db:
            audit.note(db, self.clock().wall_ms, "refused_tap", reason)

    def mark_reversals_seen(self, reversals: Sequence[Reversal]) -> None:
        """Notes that the person has seen these reversals. Only a later revision of the verdict shows one again."""
        with self._store.write() as db:
            mark_seen(db, reversals)

    def patient_status(self, patient_id: str) -> PatientStatus | None:
        """Returns the status of a patient now; None where the kiosk does not know the patient."""
        with self._store.read() as db:
            patient = patients.read(db, patient_id)
            return read_patient_status(db, self._kiosk.context(), patient) if patient else None

    def current_patient(self, tapped_id: PatientId, cards: Sequence[CardHash]) -> PatientId | None:
        """Returns the present patient of an earlier tap; None where the card no longer names its holder, or is blocked.

        `tapped_id` is the patient that these cards meant at the tap. Since then a provisional patient may have become
        a real one, records may have been merged, and the card may have been bound to another patient.
        """
        with self._store.read() as db:
            if blocked_cards.is_blocked(db, cards):
                return None
            patient_id = patient_aliases.resolve(db, tapped_id)
            holder, tapped = patients.read_holder(db, cards), patients.read(db, tapped_id)
        holder_id = holder.patient.patient_id if holder else None
        if holder_id is None and patient_id != tapped_id:
            return patient_id  # the centre has named the patient; its next page binds the card
        # The card alone identifies a provisional patient.
        return holder_id if holder_id == patient_id or (tapped and tapped.provisional) else None

    def hold_store(self) -> AbstractContextManager[object]:
        """Holds the store for the calling thread. A tap writes and then reads. Without this a tap could wait twice
        while the sync agent works off a long backlog."""
        return self._store.read()

    def probe(self) -> None:
        """Tests whether the store takes writes. Raises sqlite3.Error where it does not."""
        self._store.probe()

    def _refuse_blocked(self, db: sqlite3.Connection) -> CardRefused:
        audit.note(db, self.clock().wall_ms, "refused_tap", BLOCKED_CARD.reason)
        return BLOCKED_CARD

    def _press(self, db: sqlite3.Connection, patient: Patient, action: KioskAction) -> ActionOutcome:
        context = self._kiosk.context()
        _, decision = apply(db, context, self._kiosk.new_id, patient, action)
        if isinstance(decision, Decision):
            return ActionOutcome(patient.patient_id, (ActionId(action.action_id),), done=action.action_type)
        audit.note(
            db,
            context.at_ms,
            "refused",
            decision.code,
            patient_id=patient.patient_id,
            action_id=action.action_id,
            from_state=decision.journey_state,
        )
        return ActionOutcome(patient.patient_id, refusal=decision)


def _waits_for_desk(db: sqlite3.Connection, context: TransactionContext, patient: Patient) -> bool:
    """Whether the desk was already asked who holds the card. A new question at every tap would help nobody."""
    return patient.provisional and read_outcomes(db, context, context.journey(patient)).needs_staff


def _provisional_patient(context: TransactionContext, patient_id: PatientId) -> Patient:
    journey = Journey(patient_id, context.definitions.initial, context.today)
    return Patient(patient_id, "", context.identity.site.languages[0], True, journey, journey, ())


def _earlier_outcome(
    db: sqlite3.Connection, patient_id: str, action_type: str, action_id: str | None
) -> ActionOutcome | None:
    """Returns the outcome of a press whose action id was used before; None where it was not.

    Where the earlier press was another action, or for another patient, this one is refused.
    """
    row = outbox.find(db, action_id) if action_id else None
    if row is None:
        return None
    sent = outbox_bodies.read(row)
    sent_patient_id = sent.patient_id if sent else row["patient_id"]
    if (sent_patient_id, row["action_type"]) == (patient_id, action_type):
        return ActionOutcome(PatientId(row["patient_id"]), (ActionId(row["action_id"]),), done=action_type)
    return _refused(patient_id, action_type, sent.journey_state if sent else "")


def _refused(patient_id: str, action_type: str, journey_state: str) -> ActionOutcome:
    return ActionOutcome(PatientId(patient_id), refusal=Refusal(RefusalCode.NOT_ALLOWED, action_type, journey_state))
