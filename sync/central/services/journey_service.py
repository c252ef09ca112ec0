"""The journey service: what a patient's state is, and what becomes of an action that somebody asks for.

The way of an action: who is meant → was it answered before → `decide()` → one transaction with everything it leaves →
commit → news. All of it may be called from any thread.
"""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from sync.cards import CardKeys
from sync.central.records.bindings import bound
from sync.central.records.idempotency import Answered, answered, keep_answer
from sync.central.records.journeys import Stamp, note_correction, open_journey, read_journey, save
from sync.central.records.patients import patient_named
from sync.central.records.site import Here, here, next_label
from sync.central.services.access_log import Looks
from sync.central.services.current_state import CurrentState, current_state
from sync.central.services.errors import ErrorBody, Fault, body_of
from sync.central.services.requests import Ask
from sync.central.store.sqlite import Reading, Store, Writing
from sync.clock import now_ms
from sync.ids import new_id
from sync.journey.correction import correct
from sync.journey.definitions import Definitions, shipped
from sync.journey.model import (
    STAFF,
    Action,
    ActionId,
    Asker,
    Decision,
    ExamId,
    Journey,
    Opens,
    PatientId,
    QueueId,
    Refusal,
    RefusalCode,
    Role,
    VisitId,
)
from sync.journey.rules import available_actions, change_entry, decide

CENTRE = "centre"


class Answer(msgspec.Struct, frozen=True):
    """What an asker is told: the HTTP status, and the body as JSON (a CurrentState, or an ErrorBody)."""

    status: int
    body: bytes
    repeated: bool = False

    @property
    def done(self) -> bool:
        """Whether the action was accepted."""
        return self.status < 400


class JourneyService:
    """The centre's journeys. `store` must hold a site by the time that somebody asks."""

    def __init__(
        self,
        store: Store,
        keys: CardKeys,
        definitions: Definitions | None = None,
        clock: Callable[[], int] = now_ms,
        ids: Callable[[], str] = new_id,
    ) -> None:
        self.store = store
        self.keys = keys
        self.definitions = definitions or shipped()
        self.clock = clock
        self.ids = ids
        self.looks = Looks(store)

    def current(self, asker: Asker, patient_id: str) -> CurrentState | None:
        """A patient's state now, as this asker may see and change it; None for an unknown patient."""
        now = self.clock()
        with self.store.read() as db:
            site = here(db)
            journey = self._read(db, site, patient_id, now)
            return current_state(db, self.definitions, site, journey, asker, now) if journey else None

    def perform(self, asker: Asker, patient_id: str | None, ask: Ask, source: str, who: str) -> Answer:
        """Does an action, once for each action id: a repeat gets the stored answer, with another content it is refused.

        Without `patient_id` the card in the payload says who is meant. `source` is the channel, `who` the asker as
        history names them.
        """
        now = self.clock()
        with self.store.write() as db:
            site = here(db)
            meant = self._meant(db, patient_id, ask)
            if isinstance(meant, Fault):
                return self._refused(db, site, asker, patient_id, meant, now)
            content = ask.content_hash(asker.role, meant)
            before = answered(db, ask.action_id)
            if before is not None:
                return self._repeat(db, site, asker, meant, before, content, now)
            stamp = Stamp(source, who, now, now, action_id=ask.action_id, metadata=ask.payload)
            journey = open_journey(db, self.definitions, meant, site.day(now), closing(now))
            assert journey is not None
            outcome = self._decide(db, site, journey, asker, ask, now)
            return self._settle(db, site, asker, journey, outcome, ask, content, stamp)

    def change_entry(self, queue_id: str, state: str, reason: str, ask: Ask, who: str) -> Answer:
        """A direct change of an entry by staff; the journey follows. Answers with the patient's state after it."""
        now = self.clock()
        with self.store.write() as db:
            site = here(db)
            row = db.row("select patient_id from entries where queue_id = :queue_id", queue_id=queue_id)
            if row is None:
                return refused(Fault("not_found", "There is no such queue entry."))
            patient_id = PatientId(row["patient_id"])
            content = ask.content_hash(STAFF.role, patient_id)
            before = answered(db, ask.action_id)
            if before is not None:
                return self._repeat(db, site, STAFF, patient_id, before, content, now)
            stamp = Stamp("rest", who, now, now, action_id=ask.action_id, metadata=ask.payload)
            journey = open_journey(db, self.definitions, patient_id, site.day(now), closing(now))
            assert journey is not None
            outcome = change_entry(self.definitions, journey, QueueId(queue_id), state)
            if isinstance(outcome, Decision) and reason:
                outcome = _because(outcome, reason)
            return self._settle(db, site, STAFF, journey, outcome, ask, content, stamp)

    def correct(self, patient_id: str, ask: Ask, who: str) -> Answer:
        """Staff say where a patient really stands (`state` and `reason` of the payload). What kiosks did before they
        heard of it is superseded by it."""
        now = self.clock()
        with self.store.write() as db:
            site = here(db)
            named = patient_named(db, patient_id)
            if named is None:
                return refused(Fault("unknown_patient", "There is no such patient."))
            content = ask.content_hash(STAFF.role, named)
            before = answered(db, ask.action_id)
            if before is not None:
                return self._repeat(db, site, STAFF, named, before, content, now)
            stamp = Stamp("rest", who, now, now, action_id=ask.action_id, metadata=ask.payload)
            journey = open_journey(db, self.definitions, named, site.day(now), closing(now))
            assert journey is not None
            outcome = correct(self.definitions, journey, str(ask.payload["state"]))
            if isinstance(outcome, Decision):
                outcome = _because(outcome, str(ask.payload["reason"]))
            answer = self._settle(db, site, STAFF, journey, outcome, ask, content, stamp)
            if isinstance(outcome, Decision):
                note_correction(db, outcome.journey)
            return answer

    def refusal(self, asker: Asker, patient_id: str | None, fault: Fault) -> Answer:
        """The answer to a request that went wrong before it was an action, with the patient's state where known."""
        now = self.clock()
        with self.store.read() as db:
            return self._refused(db, here(db), asker, patient_id, fault, now)

    def today(self, db: Reading) -> str:
        """The day of the site, now."""
        return here(db).day(self.clock())

    def _meant(self, db: Reading, patient_id: str | None, ask: Ask) -> PatientId | Fault:
        """Who an action is for. A card is evidence: beside a name an unknown one will do, another's never."""
        named = patient_named(db, patient_id) if patient_id is not None else None
        if patient_id is not None and named is None:
            return Fault("unknown_patient", "There is no such patient.")
        holder = bound(db, ask.cards) if ask.cards else None
        if holder is not None and named is not None and holder.patient_id != named:
            return Fault("card_of_another", "The card belongs to another patient.")
        meant = named or (holder.patient_id if holder else None)
        return meant or Fault("unknown_patient", "The request names no patient that is known here.")

    def _decide(
        self, db: Writing, site: Here, journey: Journey, asker: Asker, ask: Ask, now: int
    ) -> Decision | Refusal:
        rule = self.definitions.actions.get(ask.action_type)
        opens = self._opens(site) if rule and (rule.visit or rule.opens_entry) else _opens_nothing(site)
        queue_id, exam_id = ask.named("queue_id"), ask.named("exam_id")
        action = Action(
            ActionId(ask.action_id),
            ask.action_type,
            asker,
            now,
            opens,
            QueueId(queue_id) if queue_id else None,
            ExamId(exam_id) if exam_id else None,
            ask.named("room"),
        )
        outcome = decide(self.definitions, journey, action)
        if isinstance(outcome, Refusal) or outcome.opened is None:
            return outcome
        # A number is taken only where one is given, so the day's numbers have no gaps.
        label = next_label(db, site.ticket_prefix, journey.site_day)
        return decide(self.definitions, journey, replace(action, opens=replace(opens, queue_number=label)))

    def _opens(self, site: Here) -> Opens:
        return Opens(VisitId(self.ids()), QueueId(self.ids()), "", site.site.walk_in)

    def _settle(
        self,
        db: Writing,
        site: Here,
        asker: Asker,
        journey: Journey,
        outcome: Decision | Refusal,
        ask: Ask,
        content: str,
        stamp: Stamp,
    ) -> Answer:
        """Writes what was decided and the answer to it, and returns that."""
        if isinstance(outcome, Refusal):
            answer = refused(outcome)
            # An action that could never be asked for leaves nothing; one that came at the wrong time stays refused.
            if outcome.code in _NEVER:
                return answer
        else:
            save(db, journey, outcome, stamp, ask.action_type)
            state = current_state(db, self.definitions, site, outcome.journey, asker, stamp.recorded_ms)
            answer = Answer(200, msgspec.json.encode(state))
        kept = Answered(content, "applied" if answer.done else "refused", answer.body.decode())
        keep_answer(db, ask.action_id, journey.patient_id, ask.action_type, stamp.source, kept, stamp.recorded_ms)
        return answer

    def _repeat(
        self, db: Reading, site: Here, asker: Asker, patient_id: str, before: Answered, content: str, now: int
    ) -> Answer:
        if before.content_hash != content or before.result is None:
            fault = Fault("action_id_reused", "This action_id was used for another request.")
            return self._refused(db, site, asker, patient_id, fault, now)
        status = 200 if before.outcome == "applied" else 400
        return Answer(status, before.result.encode(), repeated=True)

    def _refused(self, db: Reading, site: Here, asker: Asker, patient_id: str | None, fault: Fault, now: int) -> Answer:
        journey = self._read(db, site, patient_id, now) if patient_id is not None else None
        if journey is None:
            return refused(fault)
        return refused(fault, journey.state, available_actions(self.definitions, journey, asker))

    def _read(self, db: Reading, site: Here, patient_id: str, now: int) -> Journey | None:
        today = site.day(now)
        found = read_journey(db, self.definitions, patient_id, today)
        if found is None and (named := patient_named(db, patient_id)) is not None:
            found = read_journey(db, self.definitions, named, today)
        return found


def refused(fault: Fault | Refusal, state: str | None = None, actions: tuple[str, ...] = ()) -> Answer:
    """The answer to a request that is not granted."""
    known = Fault(fault.code.value, "") if isinstance(fault, Refusal) else fault
    body: ErrorBody = body_of(fault, state, actions)
    return Answer(known.status, msgspec.json.encode(body))


def _because(outcome: Decision, reason: str) -> Decision:
    """The same with the reason that staff gave in the queue's history."""
    return replace(outcome, entry_changes=tuple(replace(change, reason=reason) for change in outcome.entry_changes))


def closing(now: int) -> Stamp:
    """What the rows of a day's end say of where they came from."""
    return Stamp(CENTRE, Role.SYSTEM, now, now)


def _opens_nothing(site: Here) -> Opens:
    return Opens(VisitId(""), QueueId(""), "", site.site.walk_in)


_NEVER = frozenset({RefusalCode.UNKNOWN_ACTION, RefusalCode.FORBIDDEN})
