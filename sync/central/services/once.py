"""Does an action once for each action id: in one transaction, and a repeat gets the stored answer.

Its steps: find the subject, look for a stored answer, act, store the answer, commit, announce the change.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sync.central.centre import Centre
from sync.central.records.history import Provenance
from sync.central.records.idempotency import StoredAnswer, store_answer, stored_answer
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.answers import Answer, accepted, refused, refused_at
from sync.central.services.errors import ApiError
from sync.central.services.requests import ActionRequest
from sync.central.store.transactions import WriteTransaction
from sync.journey.model import Actor, PatientId, Refusal, RefusalCode

_REUSED = ApiError("action_id_reused", "This action_id was used for another request.")
# These refusals leave no row. Any other refusal is stored, so that a repeat is refused too.
_NEVER_POSSIBLE = frozenset({RefusalCode.UNKNOWN_ACTION, RefusalCode.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class Requester:
    """The sender of an action. `who` is the sender's name in history and audit, `channel` is rest, websocket or
    desk.
    """

    actor: Actor
    who: str
    channel: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of an action: a patient, or another record by its id, such as a case of the exception inbox."""

    record_id: str
    patient_id: PatientId | None = None


@dataclass(frozen=True, slots=True)
class ActionContext:
    """One action inside its transaction."""

    centre: Centre
    db: WriteTransaction
    site: SiteSettings
    requester: Requester
    request: ActionRequest
    now_ms: int

    @property
    def today(self) -> str:
        """The day of the site."""
        return self.site.day(self.now_ms)

    @property
    def provenance(self) -> Provenance:
        """The origin that the rows of the action name."""
        asked, request = self.requester, self.request
        return Provenance(
            asked.channel, asked.who, self.now_ms, self.now_ms, action_id=request.action_id, metadata=request.payload
        )


def once(
    centre: Centre,
    requester: Requester,
    request: ActionRequest,
    find_subject: Callable[[ActionContext], Subject | Answer],
    act: Callable[[ActionContext, Subject], object],
) -> Answer:
    """Does an action in one transaction, once for each action id, and returns the answer to it.

    `find_subject` returns the subject, or the refusal. `act` returns the value of the answer, an ApiError or a Refusal.
    A repeat gets the stored answer. The same action id with another content is refused. The answers that
    the rules give are stored. An ApiError is not, and neither is the refusal of an action that no state allows.
    """
    now_ms = centre.clock()
    with centre.store.write() as db:
        context = ActionContext(centre, db, read_site(db), requester, request, now_ms)
        subject = find_subject(context)
        if isinstance(subject, Answer):
            return subject
        content_hash = request.content_hash(requester.actor.role, subject.record_id)
        stored = stored_answer(db, request.action_id)
        if stored is not None:
            return _repeat(context, subject, stored, content_hash)
        outcome = act(context, subject)
        if isinstance(outcome, ApiError) or (isinstance(outcome, Refusal) and outcome.code in _NEVER_POSSIBLE):
            return refused(outcome)
        answer = refused(outcome) if isinstance(outcome, Refusal) else accepted(outcome)
        _store(context, subject, answer, content_hash)
        return answer


def _store(context: ActionContext, subject: Subject, answer: Answer, content_hash: str) -> None:
    store_answer(
        context.db,
        context.request.action_id,
        subject.patient_id,
        context.request.action_type,
        context.requester.channel,
        StoredAnswer(content_hash, "applied" if answer.done else "refused", answer.body.decode()),
        context.now_ms,
    )


def _repeat(context: ActionContext, subject: Subject, stored: StoredAnswer, content_hash: str) -> Answer:
    if stored.content_hash != content_hash or stored.result is None:
        actor = context.requester.actor
        return refused_at(context.db, context.centre, context.today, actor, subject.patient_id, _REUSED)
    return Answer(200 if stored.outcome == "applied" else 400, stored.result.encode())
