"""The journey service for people: a tap, a press, and the status of a patient for a screen.

The way of an action: card or press → patient → `judge()` → `decide()` → one transaction (queue number, outbox row,
patient, place in line) → commit. The caller announces it after the commit. Nothing here waits for the network.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msgspec.structs import replace

from kiosk.journey.apply import KioskAction, Undone, Written, judge, write
from kiosk.journey.outcomes import Act, Reversal, mark_seen, outcomes_of, read_acts
from kiosk.journey.patient_status import PatientStatus, patient_status
from kiosk.journey.this_kiosk import ThisKiosk
from kiosk.journey.transaction_context import TransactionContext
from kiosk.store import audit, outbox, outbox_bodies, patient_aliases, patients
from kiosk.store.identity import Identity
from kiosk.store.patients import CardHolder, FoundCard, Patient
from kiosk.store.remembered import Remembered
from sync.cards import CardHash
from sync.clock import ClockReading
from sync.journey.definitions import Definitions
from sync.journey.model import ActionId, Journey, PatientId, QueueEntry, Refusal, RefusalCode
from sync.visit_secret import make_secret


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """The result of a tap or a press: the ids of the accepted actions, or the refusal of a press.

    `done` names the last accepted action. `visit_secret` opens the visit to a telephone; None where no action made one.
    """

    patient_id: PatientId
    action_ids: tuple[ActionId, ...] = ()
    refusal: Refusal | None = None
    done: str | None = None
    visit_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CardRefused:
    """The result of a tap or a press with a card that opens nobody. `reason` is a code with words on the screen."""

    reason: str


BLOCKED_CARD = CardRefused("blocked_card")  # the card was reported lost


DONE = "done"
UNKNOWN = "unknown"  # in place of the name of an action that the definitions lack


class Journeys:
    """The journey service for people; each method that writes is one transaction. May be called from any thread."""

    def __init__(
        self, kiosk: ThisKiosk, count: Callable[[str, str], object] = lambda *_: None, *, shows_visits: bool = False
    ) -> None:
        """`count` gets each action, or `unknown`, and its outcome: `done`, or the code of the refusal.

        `shows_visits`: the screen shows a secret for the visit, with an action that opens a queue entry.
        """
        self._kiosk = kiosk
        self._count = count
        self._shows_visits = shows_visits
        self._store = kiosk.store
        self._remembered = Remembered(kiosk.store)

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
            found = self._find(db, self._kiosk.cards.present(cards))
        if found.is_blocked:
            return BLOCKED_CARD
        return found.holder.patient if found.holder else None

    def tap(self, cards: Sequence[CardHash], automatic: Sequence[str]) -> ActionOutcome | CardRefused | None:
        """Handles a tap of a known card: does the automatic actions that the rules allow now, in the rules' order.

        All of them are one transaction. Returns None where no patient has the card; nothing of the card is stored then.
        A card that was reported lost is refused.
        """
        with self._store.read() as db:
            cards = self._kiosk.cards.present(cards)
            found = self._find(db, cards)
            if found.is_blocked:
                return self._refuse_blocked()
            if found.holder is None:
                return None
            context, patient = self._kiosk.context(), found.holder.patient
            acts = self._acts(db, patient.patient_id)
            outcomes = outcomes_of(acts, context, context.journey(patient))
            if outcomes.awaited or (patient.provisional and outcomes.needs_staff):
                # The other system, or the desk, was asked already. A new question at every tap would help nobody.
                return ActionOutcome(patient.patient_id)
            allowed = [action_type for action_type in context.definitions.actions if action_type in automatic]
            done = self._do_allowed(db, context, found.holder, cards, allowed)
            for each in done:
                self._count(each.act.action_type, DONE)
            if done:
                self._remember(cards, found.holder.binding_id, done[-1], (*acts, *(each.act for each in done)))
            return ActionOutcome(
                patient.patient_id,
                tuple(each.act.action_id for each in done),
                done=done[-1].act.action_type if done else None,
                visit_secret=next((each.visit_secret for each in done if each.visit_secret), None),
            )

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
        with self._store.read() as db:
            cards = self._kiosk.cards.present(cards)
            patient, found = self._patient(db, patient_id), self._find(db, cards)
            if patient is None or found.is_blocked:
                earlier = _earlier_outcome(db, patient_id, action_type, action_id)
                return earlier or _refused(patient_id, action_type, self.definitions.initial)
            is_holder = found.holder is not None and found.holder.patient.patient_id == patient_id
            binding_id = found.holder.binding_id if found.holder and is_holder else None
            action = self._action(action_type, action_id, cards, binding_id, payload)
            return self._press(db, patient, action, patient_id, holds_card=is_holder)

    def check_in_unknown(
        self, patient_id: PatientId, cards: Sequence[CardHash], action_type: str, action_id: str | None
    ) -> ActionOutcome | CardRefused:
        """Checks the holder of an unknown card in: makes a provisional patient of that id.

        The centre or the desk ties the provisional patient to a real one. Where the action is refused, nothing
        of the card is stored. A card that was reported lost since the tap is refused. Raises NotEnrolled.
        """
        with self._store.read() as db:
            cards = self._kiosk.cards.present(cards)
            found = self._find(db, cards)
            if found.is_blocked:
                return _earlier_outcome(db, patient_id, action_type, action_id) or self._refuse_blocked()
            action = self._action(action_type, action_id, cards)
            if found.holder is not None:  # the card is known since the tap
                action = replace(action, binding_id=found.holder.binding_id)
                return self._press(db, found.holder.patient, action, patient_id, holds_card=True)
            known = self._patient(db, patient_id)
            stranger = known or _provisional_patient(self._kiosk.context(), patient_id)
            return self._press(db, stranger, action, patient_id, is_new=known is None)

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
            patient = self._patient(db, patient_id)
            if patient is None:
                return None
            context, acts = self._kiosk.context(), self._acts(db, patient_id)
            return patient_status(db, context, patient, acts, partial(self._ahead, db))

    def current_patient(self, tapped_id: PatientId, cards: Sequence[CardHash]) -> PatientId | None:
        """Returns the present patient of an earlier tap; None where the card no longer names its holder, or is blocked.

        `tapped_id` is the patient that these cards meant at the tap. Since then a provisional patient may have become
        a real one, records may have been merged, and the card may have been bound to another patient.
        """
        with self._store.read() as db:
            found = self._find(db, self._kiosk.cards.present(cards))
            holder_id = found.holder.patient.patient_id if found.holder else None
            if found.is_blocked or holder_id == tapped_id:
                return None if found.is_blocked else tapped_id
            patient_id, tapped = patient_aliases.resolve(db, tapped_id), self._patient(db, tapped_id)
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

    # What follows is called while the store is held: what was read stays right until this thread writes.

    def _find(self, db: sqlite3.Connection, cards: Sequence[CardHash]) -> FoundCard:
        found = self._remembered.get(tuple(cards), lambda: patients.find_card(db, cards))
        if found.holder:
            self._remembered.put((Patient, found.holder.patient.patient_id), found.holder.patient)
        return found

    def _patient(self, db: sqlite3.Connection, patient_id: str) -> Patient | None:
        return self._remembered.get((Patient, patient_id), lambda: patients.read(db, patient_id))

    def _acts(self, db: sqlite3.Connection, patient_id: str) -> tuple[Act, ...]:
        return self._remembered.get((Act, patient_id), lambda: read_acts(db, patient_id))

    def _head(self, db: sqlite3.Connection, patient_id: str) -> outbox.Head:
        return self._remembered.get((outbox.Head, patient_id), lambda: outbox.head(db, patient_id))

    def _ahead(self, db: sqlite3.Connection, entry: QueueEntry, site_day: str) -> int:
        in_line = self.definitions.in_line
        return self._remembered.get((entry, site_day), lambda: patients.count_ahead(db, entry, site_day, in_line))

    def _remember(
        self, cards: Sequence[CardHash], binding_id: str | None, last: Written, acts: tuple[Act, ...]
    ) -> None:
        """Keeps what was just written: the screen after an action asks for nothing else."""
        patient_id = last.patient.patient_id
        self._remembered.put((Patient, patient_id), last.patient)
        self._remembered.put((Act, patient_id), acts)
        self._remembered.put((outbox.Head, patient_id), last.head)
        if last.joined:
            entry, ahead = last.joined
            self._remembered.put((entry, last.patient.view.site_day), ahead)
        if cards:
            self._remembered.put(tuple(cards), FoundCard(False, CardHolder(last.patient, binding_id)))

    def _do_allowed(
        self,
        db: sqlite3.Connection,
        context: TransactionContext,
        holder: CardHolder,
        cards: Sequence[CardHash],
        action_types: Sequence[str],
    ) -> list[Written]:
        """Does those of these actions that the rules allow, one after the other, in one transaction."""
        done: list[Written] = []
        patient, head = holder.patient, self._head(db, holder.patient.patient_id)
        with ExitStack() as transaction:
            for action_type in action_types:
                action = self._action(action_type, None, cards, holder.binding_id)
                judged = judge(db, context, self._kiosk.new_id, patient, action)
                if isinstance(judged, Refusal):
                    continue
                if not done:
                    transaction.enter_context(self._store.write())
                done.append(write(db, context, judged, head))
                patient, head = done[-1].patient, done[-1].head
        return done

    def _press(
        self,
        db: sqlite3.Connection,
        patient: Patient,
        action: KioskAction,
        asked_id: str,
        *,
        is_new: bool = False,
        holds_card: bool | None = None,
    ) -> ActionOutcome:
        """Does an action. `asked_id` is the patient of the press. `is_new`: the patient has no row yet.

        `holds_card`: the card is bound to the patient; None where it is to be.
        """
        context, patient_id = self._kiosk.context(), patient.patient_id
        judged = judge(db, context, self._kiosk.new_id, patient, action, is_new=is_new)
        if isinstance(judged, Refusal):
            return self._refuse(db, context, patient_id, action, asked_id, judged)
        head, acts = self._head(db, patient_id), () if is_new else self._acts(db, patient_id)
        try:
            with self._store.write() as db:
                written = write(db, context, judged, head)
                if holds_card is None:
                    patients.bind(db, patient_id, [(action.cards[0], None)])
        except Undone as undone:
            return self._refuse(db, context, patient_id, action, asked_id, undone.refusal)
        except sqlite3.IntegrityError:
            if earlier := _earlier_outcome(db, asked_id, action.action_type, action.action_id):
                return earlier
            raise
        self._count(action.action_type, DONE)
        cards = () if holds_card is False else action.cards
        self._remember(cards, action.binding_id, written, (*acts, written.act))
        secret = written.visit_secret
        return ActionOutcome(patient_id, (written.act.action_id,), done=action.action_type, visit_secret=secret)

    def _action(
        self,
        action_type: str,
        action_id: str | None,
        cards: Sequence[CardHash],
        binding_id: str | None = None,
        payload: dict[str, Any] | None = None,
    ) -> KioskAction:
        rule = self.definitions.actions.get(action_type)
        secret = make_secret() if self._shows_visits and rule is not None and rule.opens_entry else None
        action_id = action_id or self._kiosk.new_id()
        return KioskAction(action_type, action_id, tuple(cards), binding_id, payload or {}, secret)

    def _refuse(
        self,
        db: sqlite3.Connection,
        context: TransactionContext,
        patient_id: PatientId,
        action: KioskAction,
        asked_id: str,
        refusal: Refusal,
    ) -> ActionOutcome:
        """Answers a press that the rules refuse: with the outcome of the first press where it is a repeat."""
        if earlier := _earlier_outcome(db, asked_id, action.action_type, action.action_id):
            return earlier
        is_known = action.action_type in self.definitions.actions
        self._count(action.action_type if is_known else UNKNOWN, refusal.code)
        with self._store.write() as db:
            audit.note(
                db,
                context.at_ms,
                "refused",
                refusal.code,
                patient_id=patient_id,
                action_id=action.action_id,
                from_state=refusal.journey_state,
            )
        return ActionOutcome(patient_id, refusal=refusal)

    def _refuse_blocked(self) -> CardRefused:
        self.note_refused_tap(BLOCKED_CARD.reason)
        return BLOCKED_CARD


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
