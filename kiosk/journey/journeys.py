"""The journey service of the kiosk, and the only writer of its store: tap, act, and adopt what the centre says.

The way of an action: card or press → patient → `decide()` → one transaction (journey, outbox row, audit row) → commit.
Whoever calls announces it afterwards. Nothing here waits for the network.
"""

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from kiosk.journey import adopt as adoption
from kiosk.journey.apply import KioskAction, apply
from kiosk.journey.moment import TransactionContext, transaction_context
from kiosk.journey.outcomes import Reversal, outcomes, seen
from kiosk.journey.patient_status import PatientStatus, read_patient_status
from kiosk.store import audit, outbox
from kiosk.store import outbox_bodies as records
from kiosk.store import patients as roster
from kiosk.store.patients import Identity, Patient
from kiosk.store.sqlite import Store
from sync.cards import CardHash
from sync.clock import ClockReading, read_clock
from sync.ids import new_id
from sync.journey.definitions import Definitions, shipped
from sync.journey.definitions import read as read_definitions
from sync.journey.model import (
    ActionId,
    Decision,
    Journey,
    PatientId,
    Refusal,
    RefusalCode,
)
from sync.protocol import Enrolment, PullAnswer, Pushed, VerdictRow

log = logging.getLogger(__name__)

NO_DEFINITIONS = 0  # what a kiosk says that has none: the centre sends them
SETTLED_AT_ONCE = 10  # verdicts: about as long as a tap takes by itself


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What an action came to: the decisions made for it (none where it was refused), and the refusal if it was."""

    patient_id: PatientId
    action_ids: tuple[ActionId, ...] = ()
    refusal: Refusal | None = None
    repeated: bool = False


class NotEnrolled(Exception):
    """The centre has not made this box a kiosk yet."""


class Journeys:
    """Every change of the store, each in one transaction. May be called from any thread."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], ClockReading] = read_clock,
        ids: Callable[[], str] = new_id,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._purged = ""
        self._answered = _NOTHING  # the kiosk's id, the epoch, and the last seq of it that the centre has answered for
        self._identity, self._definitions = self._read_self()
        self._note_unreadable()

    @property
    def identity(self) -> Identity | None:
        """Who this kiosk is; None before its enrolment."""
        return self._identity

    @property
    def definitions(self) -> Definitions:
        """The rules in force here: the centre's last word. Before it, and where it cannot be read, the shipped ones."""
        return self._definitions

    def turn(self) -> AbstractContextManager[object]:
        """For `with`: what is done inside comes in one turn. A tap that has to ask for the store twice, once to write
        and once to show, waits twice while a long backlog drains."""
        return self._store.read()

    def patient_of_card(self, cards: Sequence[CardHash]) -> PatientId | None:
        """Whose card this is, or None."""
        with self._store.read() as db:
            found = roster.patient_of_card(db, cards)
        return found[0].patient_id if found else None

    def tap(self, cards: Sequence[CardHash], automatic: Sequence[str]) -> ActionOutcome | None:
        """A known card was held to the reader: does the automatic actions that the rules allow now, in the rules'
        order and in one transaction.

        None where the card is bound to nobody; nothing is stored of it then.
        """
        with self._store.write() as db:
            found = roster.patient_of_card(db, cards)
            if found is None:
                return None
            patient, binding_id = found
            now, done = self._now(), []
            # Known by the card alone and waiting for the desk: to ask it once more each time helps nobody.
            if patient.provisional and outcomes(db, now, now.journey(patient)).needs_staff:
                return ActionOutcome(patient.patient_id)
            for action_type in now.definitions.actions:
                if action_type not in automatic:
                    continue
                request = KioskAction(action_type, self._ids(), tuple(cards), binding_id)
                patient, outcome = apply(db, now, self._ids, patient, request)
                if isinstance(outcome, Decision):
                    done.append(ActionId(request.action_id))
            return ActionOutcome(patient.patient_id, tuple(done))

    def act(
        self,
        patient_id: str,
        action_type: str,
        action_id: str | None,
        payload: dict[str, Any],
        cards: Sequence[CardHash] = (),
    ) -> ActionOutcome:
        """A pressed button, after a tap with these cards. A repeat with the same action id changes nothing and says
        so."""
        with self._store.write() as db:
            if repeated := _repeated(db, patient_id, action_type, action_id):
                return repeated
            patient = roster.patient(db, patient_id)
            if patient is None:
                return _unknown(patient_id, action_type, self._definitions)
            found = roster.patient_of_card(db, cards)
            binding_id = found[1] if found and found[0].patient_id == patient_id else None
            request = KioskAction(action_type, action_id or self._ids(), tuple(cards), binding_id, payload)
            return self._one(db, patient, request)

    def check_in_unknown(
        self, patient_id: PatientId, cards: Sequence[CardHash], action_type: str, action_id: str | None
    ) -> ActionOutcome:
        """The holder of an unknown card pressed "check in": a provisional patient of that id on the card's hash, whom
        the centre or the desk ties to a real one. Where the action is refused nothing is stored of the card."""
        with self._store.write() as db:
            if repeated := _repeated(db, patient_id, action_type, action_id):
                return repeated
            request = KioskAction(action_type, action_id or self._ids(), tuple(cards))
            found = roster.patient_of_card(db, cards)
            if found is not None:
                return self._one(db, found[0], replace(request, binding_id=found[1]))
            now = self._now()
            fresh = Journey(patient_id, now.definitions.initial, now.today)
            language = now.identity.site.languages[0]
            acted = self._one(db, Patient(patient_id, "", language, True, fresh, fresh, ()), request)
            if not acted.refusal:
                roster.bind(db, patient_id, [(card, None) for card in cards])
            return acted

    def note_refused_tap(self, reason: str) -> None:
        """Records that a card could not be used, without anything of the card."""
        with self._store.write() as db:
            audit.note(db, self._clock().wall_ms, "refused_tap", reason)

    def seen(self, reversals: Sequence[Reversal]) -> None:
        """Whom these concern has seen that the centre decided otherwise; they are not told of it again."""
        with self._store.write() as db:
            seen(db, reversals)

    def patient_status(self, patient_id: str) -> PatientStatus | None:
        """Where a patient stands now; None where the kiosk no longer knows them."""
        with self._store.read() as db:
            patient = roster.patient(db, patient_id)
            return read_patient_status(db, self._now(), patient) if patient else None

    def named(self, patient_id: PatientId) -> PatientId:
        """Whom an id means now: a provisional patient may have become a real one, or a record have been merged."""
        with self._store.read() as db:
            return roster.named(db, patient_id)

    def meant(self, came_as: PatientId, cards: Sequence[CardHash]) -> PatientId | None:
        """Who somebody is by now who was that patient when they held a card with these hashes to the reader; None where
        the card says otherwise, or says it no longer."""
        with self._store.read() as db:
            named = roster.named(db, came_as)
            found, before = roster.patient_of_card(db, cards), roster.patient(db, came_as)
        holder = found[0].patient_id if found else None
        if holder is None and named != came_as:
            return named  # the centre says who they are, and with its next page whose the card is
        # Nothing but the card ever said who a provisional patient is.
        return holder if holder == named or (before and before.provisional) else None

    def today(self) -> str:
        """The site day. Raises NotEnrolled."""
        return self._now().today

    def clock(self) -> ClockReading:
        """This box's clocks, now."""
        return self._clock()

    def probe(self) -> None:
        """Finds out whether the store takes writes. Raises sqlite3.Error where it does not."""
        self._store.probe()

    # What the sync agent asks for (`sync.agent.ledger.Ledger`).

    def enrol(self, enrolment: Enrolment) -> None:
        """Becomes the kiosk that the centre says; what is pending is renumbered and kept. Raises ValueError or KeyError
        where the definitions, the time zone or the day's start that it brings are none; nothing changes then."""
        definitions = read_definitions(enrolment.definitions)
        with self._become() as db:
            before = roster.identity(db)
            if before and _restored(before, enrolment):
                outbox.reopen(db)
            outbox.become_another(db)
            roster.enrol(db, enrolment)
            outbox.start_epoch(db, enrolment.kiosk_id, enrolment.epoch)
            now = self._now(db, definitions)
            audit.note(db, now.at_ms, "enrolled", enrolment.kiosk_id)

    def batch(self, limit: int, expected_seq: int | None) -> list[Pushed]:
        """The next actions to push."""
        with self._store.read() as db:
            return outbox.batch(db, limit, expected_seq)

    def unread(self, expected_seq: int | None) -> Pushed | None:
        """The first of them, unread."""
        with self._store.read() as db:
            return outbox.first_unread(db, expected_seq)

    def has_pending(self) -> bool:
        """Whether any action waits for its verdict."""
        with self._store.read() as db:
            return outbox.has_pending(db)

    def pending(self) -> int:
        """How many actions wait for their verdict."""
        with self._store.read() as db:
            return outbox.pending_count(db)

    def settle(
        self,
        verdicts: Sequence[VerdictRow],
        backed_up_seq: int = 0,
        *,
        epoch: int | None = None,
        incarnations: Collection[str] = (),
    ) -> frozenset[PatientId]:
        """Retires the rows of these verdicts and brings their patients up to date. Returns whom it touched.

        In several transactions, so that a tap waits for one of them at most; each verdict stands by itself.
        `backed_up_seq` is the last of that epoch's actions that the centre's backups hold. `incarnations` are the one
        that the kiosk knew when it asked and the one that answered: where it has heard of yet another since, the centre
        was restored meanwhile, and its verdicts from before are worth nothing.
        """
        touched: set[PatientId] = set()
        for first in range(0, max(len(verdicts), 1), SETTLED_AT_ONCE):
            with self._store.write() as db:
                now = self._now()
                here = now.identity
                if incarnations and here.server_incarnation not in incarnations:
                    break
                portion = verdicts[first : first + SETTLED_AT_ONCE]
                told = adoption.retire(db, now, portion)
                adoption.replay(db, now, told)
                if epoch in (None, here.epoch):
                    outbox.covered(db, backed_up_seq)
                if epoch == here.epoch:  # in this turn: the pull may hear of a restore in the next, and forget it
                    last_seq = max([self.answered_seq(), *(verdict.seq for verdict in portion)])
                    self._answered = (here.kiosk_id, here.epoch, last_seq)
            touched |= told
        return frozenset(touched)

    def answered_seq(self) -> int:
        """The last seq of the present epoch that the centre has answered for since the start; 0 where none."""
        identity = self._who()
        kiosk_id, epoch, seq = self._answered
        return seq if (kiosk_id, epoch) == (identity.kiosk_id, identity.epoch) else 0

    def adopt(
        self, page: PullAnswer, *, epoch: int | None = None, answered_seq: int = 0
    ) -> frozenset[PatientId] | None:
        """Takes over a page of the centre's rows. None, and nothing changes, where it is not for a kiosk that stands
        where this one does: it was overtaken.

        It was asked for in that epoch, of which the centre had answered for the actions up to `answered_seq`. Raises
        ValueError or KeyError where the page's definitions or site cannot be used; nothing changes then.
        """
        definitions = read_definitions(page.definitions) if page.definitions else self._definitions
        with self._become() as db:
            before, day = self._who(), self._now().today
            restored = page.server_incarnation != before.server_incarnation
            if adoption.overtaken(page, before):
                return None
            if not restored and epoch == before.epoch and adoption.has_lost(page, epoch, answered_seq):
                return self._begin_again(db)
            if restored:
                outbox.reopen(db)
                self._answered = _NOTHING
            concerned = roster.start_afresh(db) if page.reset else set()
            roster.follow(db, page, self._clock())
            now = self._now(db, definitions)
            told = adoption.retire(db, now, page.verdicts)
            if page.definitions or restored or now.today != day:
                told |= outbox.pending_patients(db)
            taken = adoption.take_over(db, now, page)
            # Said of an earlier epoch, the numbers are those of other actions, which no backup need hold.
            if not restored and page.epoch == before.epoch:
                outbox.covered(db, page.backed_up_seq)
            if not page.more:
                told |= adoption.complete(db, now, page.now_ms)
            renamed = {PatientId(each.patient_id) for each in page.renamed}
            # Those whom the page names have their view already, of whatever the verdicts have moved to them.
            adoption.replay(db, now, told.difference(row.patient_id for row in page.patients) | renamed)
            due = not page.more and self._purged != now.today
            if due:
                adoption.purge(db, now, page.now_ms)
        self._purged = now.today if due else self._purged
        return frozenset(concerned | told | taken)

    def fenced(self) -> frozenset[PatientId]:
        """The centre has ended this kiosk, or does not know it: the roster is wiped, what is pending is kept for the
        next enrolment. Returns whom it has forgotten."""
        if self._who().fenced_ms is not None:
            return frozenset()
        with self._become() as db:
            now = self._now()
            forgotten = roster.fence(db, now.at_ms)
            audit.note(db, now.at_ms, "fenced", f"{len(forgotten)} patients forgotten")
        return frozenset(forgotten)

    def start_epoch(self, epoch: int) -> None:
        """The centre says that this kiosk's chain forked (a restored or cloned disk): what is pending goes on under a
        new epoch, every action id as it was. One that is not after its own is no news: a restored centre was heard of
        meanwhile."""
        with self._become() as db:
            now = self._now()
            if epoch <= now.identity.epoch:
                return
            kept = outbox.start_epoch(db, now.identity.kiosk_id, epoch)
            audit.note(db, now.at_ms, "epoch", f"epoch {epoch}, {kept} pending")

    def _begin_again(self, db: sqlite3.Connection) -> frozenset[PatientId]:
        """The centre has lost what it had judged, and does not know it: whatever is still here is sent again, and the
        roster pulled from the beginning."""
        outbox.reopen(db)
        roster.begin_again(db)
        self._answered = _NOTHING
        now = self._now(db)
        audit.note(db, now.at_ms, "lost", "the centre lost what it had judged; everything is sent again")
        concerned = outbox.pending_patients(db)
        adoption.replay(db, now, concerned)
        return frozenset(concerned)

    def _one(self, db: sqlite3.Connection, patient: Patient, request: KioskAction) -> ActionOutcome:
        now = self._now()
        _, outcome = apply(db, now, self._ids, patient, request)
        if isinstance(outcome, Decision):
            return ActionOutcome(patient.patient_id, (ActionId(request.action_id),))
        audit.note(
            db,
            now.at_ms,
            "refused",
            outcome.code,
            patient_id=patient.patient_id,
            action_id=request.action_id,
            from_state=outcome.journey_state,
        )
        return ActionOutcome(patient.patient_id, refusal=outcome)

    @contextmanager
    def _become(self) -> Iterator[sqlite3.Connection]:
        """A transaction that changes who this kiosk is. What is remembered of that follows the commit before another
        thread can come in between."""
        with self._store.read():
            with self._store.write() as db:
                yield db
            self._identity, self._definitions = self._read_self()

    def _now(self, db: sqlite3.Connection | None = None, definitions: Definitions | None = None) -> TransactionContext:
        """What a transaction goes by: as remembered or, in one that changes it, as it stands there."""
        identity = roster.identity(db) if db else self._identity
        if identity is None:
            raise NotEnrolled
        return transaction_context(identity, definitions or self._definitions, self._clock())

    def _who(self) -> Identity:
        if self._identity is None:
            raise NotEnrolled
        return self._identity

    def _read_self(self) -> tuple[Identity | None, Definitions]:
        with self._store.read() as db:
            identity = roster.identity(db)
            try:
                return identity, roster.definitions(db) or shipped()
            except (ValueError, RecursionError):
                # Written by another version of this program, or damaged: asked for anew, as by a kiosk that has none.
                assert identity is not None
                return replace(identity, definitions_version=NO_DEFINITIONS), shipped()

    def _note_unreadable(self) -> None:
        """Says once for each start that the rules in force are not those that the centre sent."""
        identity = self._identity
        if identity is None or identity.definitions_version != NO_DEFINITIONS:
            return
        log.error("the stored definitions cannot be read: the shipped ones hold until the centre sends them again")
        # On a full disk the log alone has to do: people can be served all the same once there is room.
        with suppress(sqlite3.Error), self._store.write() as db:
            audit.note(db, self._now().at_ms, "definitions", "unreadable: the shipped ones are in force")


_NOTHING = ("", 0, 0)


def _restored(before: Identity, enrolment: Enrolment) -> bool:
    """Whether the centre that enrols this kiosk is the one that it had, put back to an earlier time."""
    same_site = before.site.name == enrolment.site.name
    return same_site and before.server_incarnation != enrolment.server_incarnation


def _repeated(db: sqlite3.Connection, patient_id: str, action_type: str, action_id: str | None) -> ActionOutcome | None:
    """The answer to an action id that was used before: done already, or refused where it means something else."""
    row = outbox.find(db, action_id) if action_id else None
    if row is None:
        return None
    before = records.read(row)
    asked_for = before.patient_id if before else row["patient_id"]
    if (asked_for, row["action_type"]) == (patient_id, action_type):
        return ActionOutcome(PatientId(row["patient_id"]), (ActionId(row["action_id"]),), repeated=True)
    state = before.journey_state if before else ""
    return ActionOutcome(PatientId(patient_id), refusal=Refusal(RefusalCode.NOT_ALLOWED, action_type, state))


def _unknown(patient_id: str, action_type: str, definitions: Definitions) -> ActionOutcome:
    return ActionOutcome(
        PatientId(patient_id), refusal=Refusal(RefusalCode.NOT_ALLOWED, action_type, definitions.initial)
    )
