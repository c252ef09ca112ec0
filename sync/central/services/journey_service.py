"""The journey service: what a patient's state is, and what becomes of an action that somebody asks for.

The way of an action: who is meant → was it answered before → `decide()` → one transaction with everything it leaves →
commit → news. All of it may be called from any thread.
"""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from sync.cards import CardKeys
from sync.central.records.bindings import binding_of_card
from sync.central.records.history import Provenance
from sync.central.records.idempotency import StoredAnswer, store_answer, stored_answer
from sync.central.records.journeys import add_correction, open_journey, read_journey, save
from sync.central.records.patients import patient_named
from sync.central.records.queue_numbers import next_queue_number
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.access_log import AccessLog
from sync.central.services.current_state import CurrentState, current_state
from sync.central.services.errors import ApiError, ErrorBody, error_body
from sync.central.services.requests import ActionRequest
from sync.central.store.sqlite import Store
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import now_ms
from sync.ids import new_id
from sync.journey.correction import correct
from sync.journey.definitions import Definitions, shipped
from sync.journey.model import (
    STAFF,
    Action,
    ActionId,
    Actor,
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
        self.looks = AccessLog(store)

    def current(self, actor: Actor, patient_id: str) -> CurrentState | None:
        """A patient's state now, as this asker may see and change it; None for an unknown patient."""
        now = self.clock()
        with self.store.read() as db:
            site = read_site(db)
            journey = self._read(db, site, patient_id, now)
            return current_state(db, self.definitions, site, journey, actor, now) if journey else None

    def perform(self, actor: Actor, patient_id: str | None, ask: ActionRequest, source: str, who: str) -> Answer:
        """Does an action, once for each action id: a repeat gets the stored answer, with another content it is refused.

        Without `patient_id` the card in the payload says who is meant. `source` is the channel, `who` the asker as
        history names them.
        """
        now = self.clock()
        with self.store.write() as db:
            site = read_site(db)
            meant = self._meant(db, patient_id, ask)
            if isinstance(meant, ApiError):
                return self._refused(db, site, actor, patient_id, meant, now)
            content = ask.content_hash(actor.role, meant)
            before = stored_answer(db, ask.action_id)
            if before is not None:
                return self._repeat(db, site, actor, meant, before, content, now)
            provenance = Provenance(source, who, now, now, action_id=ask.action_id, metadata=ask.payload)
            journey = open_journey(db, self.definitions, meant, site.day(now), closing(now))
            assert journey is not None
            outcome = self._decide(db, site, journey, actor, ask, now)
            return self._settle(db, site, actor, journey, outcome, ask, content, provenance)

    def change_entry(self, queue_id: str, state: str, reason: str, ask: ActionRequest, who: str) -> Answer:
        """A direct change of an entry by staff; the journey follows. Answers with the patient's state after it."""
        now = self.clock()
        with self.store.write() as db:
            site = read_site(db)
            row = db.row("select patient_id from entries where queue_id = :queue_id", queue_id=queue_id)
            if row is None:
                return refused(ApiError("not_found", "There is no such queue entry."))
            patient_id = PatientId(row["patient_id"])
            content = ask.content_hash(STAFF.role, patient_id)
            before = stored_answer(db, ask.action_id)
            if before is not None:
                return self._repeat(db, site, STAFF, patient_id, before, content, now)
            provenance = Provenance("rest", who, now, now, action_id=ask.action_id, metadata=ask.payload)
            journey = open_journey(db, self.definitions, patient_id, site.day(now), closing(now))
            assert journey is not None
            outcome = change_entry(self.definitions, journey, QueueId(queue_id), state)
            if isinstance(outcome, Decision) and reason:
                outcome = _because(outcome, reason)
            return self._settle(db, site, STAFF, journey, outcome, ask, content, provenance)

    def correct(self, patient_id: str, ask: ActionRequest, who: str) -> Answer:
        """Staff say where a patient really stands (`state` and `reason` of the payload). What kiosks did before they
        heard of it is superseded by it."""
        now = self.clock()
        with self.store.write() as db:
            site = read_site(db)
            named = patient_named(db, patient_id)
            if named is None:
                return refused(ApiError("unknown_patient", "There is no such patient."))
            content = ask.content_hash(STAFF.role, named)
            before = stored_answer(db, ask.action_id)
            if before is not None:
                return self._repeat(db, site, STAFF, named, before, content, now)
            provenance = Provenance("rest", who, now, now, action_id=ask.action_id, metadata=ask.payload)
            journey = open_journey(db, self.definitions, named, site.day(now), closing(now))
            assert journey is not None
            outcome = correct(self.definitions, journey, str(ask.payload["state"]))
            if isinstance(outcome, Decision):
                outcome = _because(outcome, str(ask.payload["reason"]))
            answer = self._settle(db, site, STAFF, journey, outcome, ask, content, provenance)
            if isinstance(outcome, Decision):
                add_correction(db, outcome.journey)
            return answer

    def refusal(self, actor: Actor, patient_id: str | None, fault: ApiError) -> Answer:
        """The answer to a request that went wrong before it was an action, with the patient's state where known."""
        now = self.clock()
        with self.store.read() as db:
            return self._refused(db, read_site(db), actor, patient_id, fault, now)

    def today(self, db: ReadTransaction) -> str:
        """The day of the site, now."""
        return read_site(db).day(self.clock())

    def _meant(self, db: ReadTransaction, patient_id: str | None, ask: ActionRequest) -> PatientId | ApiError:
        """Who an action is for. A card is evidence: beside a name an unknown one will do, another's never."""
        named = patient_named(db, patient_id) if patient_id is not None else None
        if patient_id is not None and named is None:
            return ApiError("unknown_patient", "There is no such patient.")
        holder = binding_of_card(db, ask.cards) if ask.cards else None
        if holder is not None and named is not None and holder.patient_id != named:
            return ApiError("card_of_another", "The card belongs to another patient.")
        meant = named or (holder.patient_id if holder else None)
        return meant or ApiError("unknown_patient", "The request names no patient that is known here.")

    def _decide(
        self, db: WriteTransaction, site: SiteSettings, journey: Journey, actor: Actor, ask: ActionRequest, now: int
    ) -> Decision | Refusal:
        rule = self.definitions.actions.get(ask.action_type)
        opens = self._opens(site) if rule and (rule.visit or rule.opens_entry) else _opens_nothing(site)
        queue_id, exam_id = ask.named("queue_id"), ask.named("exam_id")
        action = Action(
            ActionId(ask.action_id),
            ask.action_type,
            actor,
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
        label = next_queue_number(db, site.ticket_prefix, journey.site_day)
        return decide(self.definitions, journey, replace(action, opens=replace(opens, queue_number=label)))

    def _opens(self, site: SiteSettings) -> Opens:
        return Opens(VisitId(self.ids()), QueueId(self.ids()), "", site.site.walk_in)

    def _settle(
        self,
        db: WriteTransaction,
        site: SiteSettings,
        actor: Actor,
        journey: Journey,
        outcome: Decision | Refusal,
        ask: ActionRequest,
        content: str,
        provenance: Provenance,
    ) -> Answer:
        """Writes what was decided and the answer to it, and returns that."""
        if isinstance(outcome, Refusal):
            answer = refused(outcome)
            # An action that could never be asked for leaves nothing; one that came at the wrong time stays refused.
            if outcome.code in _NEVER:
                return answer
        else:
            save(db, journey, outcome, provenance, ask.action_type)
            state = current_state(db, self.definitions, site, outcome.journey, actor, provenance.recorded_ms)
            answer = Answer(200, msgspec.json.encode(state))
        kept = StoredAnswer(content, "applied" if answer.done else "refused", answer.body.decode())
        store_answer(
            db, ask.action_id, journey.patient_id, ask.action_type, provenance.source, kept, provenance.recorded_ms
        )
        return answer

    def _repeat(
        self,
        db: ReadTransaction,
        site: SiteSettings,
        actor: Actor,
        patient_id: str,
        before: StoredAnswer,
        content: str,
        now: int,
    ) -> Answer:
        if before.content_hash != content or before.result is None:
            fault = ApiError("action_id_reused", "This action_id was used for another request.")
            return self._refused(db, site, actor, patient_id, fault, now)
        status = 200 if before.outcome == "applied" else 400
        return Answer(status, before.result.encode(), repeated=True)

    def _refused(
        self, db: ReadTransaction, site: SiteSettings, actor: Actor, patient_id: str | None, fault: ApiError, now: int
    ) -> Answer:
        journey = self._read(db, site, patient_id, now) if patient_id is not None else None
        if journey is None:
            return refused(fault)
        return refused(fault, journey.state, available_actions(self.definitions, journey, actor))

    def _read(self, db: ReadTransaction, site: SiteSettings, patient_id: str, now: int) -> Journey | None:
        today = site.day(now)
        found = read_journey(db, self.definitions, patient_id, today)
        if found is None and (named := patient_named(db, patient_id)) is not None:
            found = read_journey(db, self.definitions, named, today)
        return found


def refused(fault: ApiError | Refusal, state: str | None = None, actions: tuple[str, ...] = ()) -> Answer:
    """The answer to a request that is not granted."""
    known = ApiError(fault.code.value, "") if isinstance(fault, Refusal) else fault
    body: ErrorBody = error_body(fault, state, actions)
    return Answer(known.status, msgspec.json.encode(body))


def _because(outcome: Decision, reason: str) -> Decision:
    """The same with the reason that staff gave in the queue's history."""
    return replace(outcome, entry_changes=tuple(replace(change, reason=reason) for change in outcome.entry_changes))


def closing(now: int) -> Provenance:
    """What the rows of a day's end say of where they came from."""
    return Provenance(CENTRE, Role.SYSTEM, now, now)


def _opens_nothing(site: SiteSettings) -> Opens:
    return Opens(VisitId(""), QueueId(""), "", site.site.walk_in)


_NEVER = frozenset({RefusalCode.UNKNOWN_ACTION, RefusalCode.FORBIDDEN})
