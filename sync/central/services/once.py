"""Does an action once for each action id: in one transaction, and a repeat gets the stored answer.

Its steps: read what is stored, find the subject, act, store the answer, commit, announce the change.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from sync.cards import CardHash
from sync.central.centre import Centre
from sync.central.records.first_read import FirstRead, Wanted, first_read
from sync.central.records.history import Provenance
from sync.central.records.idempotency import StoredAnswer, store_answer
from sync.central.records.site import SiteSettings
from sync.central.services.access_log import record_within
from sync.central.services.action_counts import counted
from sync.central.services.answers import Answer, accepted, refused, refused_at, refused_by_rules
from sync.central.services.contradiction import Contradiction, contradicted, patients_in_error
from sync.central.services.errors import ApiError, ErrorBody, status_of
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.store.errors import Overtaken, StaleJourney
from sync.central.store.transactions import WriteTransaction
from sync.journey.model import PatientId, Refusal, RefusalCode

_REUSED = ApiError("action_id_reused", "This action_id was used for another request.")
# The patients whom the value of an answer names, as JSON values. A name may be None.
PatientsIn = Callable[[Any], Sequence[str | None]]
# These refusals leave no row. Any other refusal is stored, so that a repeat is refused too.
_NEVER_POSSIBLE = frozenset({RefusalCode.UNKNOWN_ACTION, RefusalCode.FORBIDDEN})


class BearerChanged(Exception):
    """The sender's token is no longer valid, or no longer of the bearer whom the action expected. Nothing is done."""


class Subject(msgspec.Struct, frozen=True):
    """The subject of an action: a patient, or another record by its id, such as a case of the exception inbox."""

    record_id: str
    patient_id: PatientId | None = None

    @property
    def patients(self) -> tuple[str, ...]:
        """The patient, where the subject is one or belongs to one."""
        return () if self.patient_id is None else (self.patient_id,)


class ActionContext(msgspec.Struct, frozen=True):
    """One action inside its transaction. `found` is what the database said at its beginning.

    The rows that its transaction adds to the audit name the address of the requester.
    """

    centre: Centre
    db: WriteTransaction
    found: FirstRead
    requester: Requester
    request: ActionRequest
    now_ms: int

    def __post_init__(self) -> None:
        """Has the transaction name the address."""
        self.db.asked_from = self.requester.address

    @property
    def site(self) -> SiteSettings:
        """The settings of the site."""
        return self.found.site

    @property
    def cards(self) -> tuple[CardHash, ...]:
        """The hashes under which the card of the request is stored now; empty without a card."""
        return self.centre.keys.stored(self.request.cards)

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
    patients_in: PatientsIn | None = None,
    wanted: Wanted | None = None,
    *,
    beside: bool = False,
) -> Answer:
    """Does an action in one transaction, once for each action id, and returns the answer to it.

    `wanted` is what the first query looks for, besides the site and an earlier answer. `find_subject` returns the
    subject, or the refusal. `act` returns the value of the answer, an ApiError, a Refusal or a Contradiction. A repeat
    gets the stored answer. The same action id with another content is refused. The answers that the rules give are
    stored, and those that contradict a screen. An ApiError is not, and neither is the refusal of an action that no
    state allows.

    Raises BearerChanged where the first query does not confirm the expected bearer of the requester's token.

    The answer tells of the subject's patient, or of those whom `patients_in` finds in its value. The transaction has
    the row of the access log.

    An action that reads and changes one journey may be done `beside` those of other services. Where it meets one of
    them, it is done again in turn.
    """

    def attempt(*, beside: bool) -> Answer:
        return _once(centre, requester, request, find_subject, act, patients_in, wanted, beside=beside)

    def attempt_as_allowed() -> Answer:
        if beside:
            with suppress(StaleJourney, Overtaken, sqlite3.IntegrityError):
                return attempt(beside=True)
        return attempt(beside=False)

    return counted(centre, requester, request.action_type, attempt_as_allowed, BearerChanged)


def _once(
    centre: Centre,
    requester: Requester,
    request: ActionRequest,
    find_subject: Callable[[ActionContext], Subject | Answer],
    act: Callable[[ActionContext, Subject], object],
    patients_in: PatientsIn | None,
    wanted: Wanted | None,
    *,
    beside: bool,
) -> Answer:
    now_ms = centre.clock()
    with centre.store.write(brief=True, beside=beside) as db:
        found = first_read(db, wanted or Wanted(request.action_id), now_ms)
        if requester.expected is not None and found.bearer != requester.expected:
            raise BearerChanged
        context = ActionContext(centre, db, found, requester, request, now_ms)
        subject = find_subject(context)
        answer = subject if isinstance(subject, Answer) else _answer(context, subject, act, patients_in)
        look = record_within(db, centre, requester, answer.told, now_ms)
    if look is not None:
        centre.looks.remember(look, now_ms)
    return answer


def _answer(
    context: ActionContext,
    subject: Subject,
    act: Callable[[ActionContext, Subject], object],
    patients_in: PatientsIn | None,
) -> Answer:
    if context.found.answer is not None:
        return _repeat(context, subject, context.found.answer, patients_in)
    outcome = act(context, subject)
    if isinstance(outcome, ApiError):
        return refused(outcome)
    if isinstance(outcome, Refusal):
        answer = refused_by_rules(outcome, context.site, subject.patients)
        if outcome.code not in _NEVER_POSSIBLE:
            _store(context, subject, answer)
        return answer
    if isinstance(outcome, Contradiction):
        answer = contradicted(context.centre, context.site, context.requester.actor, outcome)
        _store(context, subject, answer)
        return answer
    answer = _about(accepted(outcome, subject.patients), patients_in)
    _store(context, subject, answer)
    return answer


def _about(answer: Answer, patients_in: PatientsIn | None) -> Answer:
    """The answer with the patients whom its own value names."""
    if patients_in is None or not answer.done:
        return answer
    named = patients_in(msgspec.json.decode(answer.body))
    return msgspec.structs.replace(answer, patients=tuple(each for each in named if each is not None))


def _store(context: ActionContext, subject: Subject, answer: Answer) -> None:
    content_hash = context.request.content_hash(context.requester.actor.role, subject.record_id)
    store_answer(
        context.db,
        context.request.action_id,
        subject.patient_id,
        context.request.action_type,
        context.requester.channel,
        StoredAnswer(content_hash, "applied" if answer.done else "refused", answer.body.decode()),
        context.now_ms,
    )


def _repeat(context: ActionContext, subject: Subject, stored: StoredAnswer, patients_in: PatientsIn | None) -> Answer:
    actor = context.requester.actor
    same_content = stored.content_hash in context.request.content_hashes(actor.role, subject.record_id)
    if not same_content or stored.result is None:
        return refused_at(context.db, context.centre, context.today, actor, subject.patient_id, _REUSED)
    result = stored.result.encode()
    if stored.outcome == "applied":
        return _about(Answer(200, result, subject.patients), patients_in)
    body = msgspec.json.decode(result, type=ErrorBody)
    return Answer(status_of(body.code), result, (*subject.patients, *patients_in_error(body)))
