"""Settles a case in the transaction of an action: its actions are judged or discarded, its card is bound."""

import logging

import msgspec

from sync.central.conflicts.gather import JudgingContext, judging_context
from sync.central.conflicts.rejudge import apply_case, discard_case, discard_verdict, reassign_case
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import BindingOrigin
from sync.central.records.cases import close_case, read_case
from sync.central.records.identities import read_identities
from sync.central.records.journeys import read_journey
from sync.central.records.patients import patient_named
from sync.central.records.quarantine import quarantined_verdicts
from sync.central.records.verdicts import latest_verdict
from sync.central.records.waiting import WaitingAction, waiting_of_case
from sync.central.services.bind_card import bind_in_action, rejudge_bound
from sync.central.services.case_card import read_case_card
from sync.central.services.errors import NO_CASE, UNKNOWN_PATIENT, ApiError
from sync.central.services.inbox_views import settlements_of
from sync.central.services.once import ActionContext
from sync.central.services.settlement import Settlement
from sync.central.store.errors import is_of_the_action
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.model import BindingId, PatientId, VisitId
from sync.protocol import Code, Verdict

log = logging.getLogger(__name__)

_NOT_APPLICABLE = ApiError("not_applicable", "The rules do not allow the action in the patient's present state.")
_APPLIES_TO_NOBODY = ApiError(
    "not_applicable",
    "The centre knows no patient of the action. Reassign the case to the patient, with bind for the card.",
)
_FAILS_INSIDE = ApiError("not_applicable", "The action still cannot be judged: internal error.")


class SettledVerdict(msgspec.Struct, frozen=True):
    """The new verdict on an action of a case that was settled."""

    action_id: str
    verdict: Verdict
    code: Code
    revision: int
    patient_id: str | None


class SettledCase(msgspec.Struct, frozen=True):
    """A case that was settled. `binding_id` is that of a card that was bound with it."""

    exception_id: str
    settled: Settlement
    verdicts: list[SettledVerdict]
    binding_id: str | None


def settle_in_action(context: ActionContext, exception_id: str, how: Settlement) -> SettledCase | ApiError:
    """Settles a case in the transaction of an action, and returns the value of the answer."""
    db, request, now_ms, who = context.db, context.request, context.now_ms, context.requester.who
    case = read_case(db, exception_id)
    if case is None:
        return NO_CASE
    waiting = waiting_of_case(db, exception_id)
    allowed = settlements_of(case, waiting)
    if how not in allowed:
        words = f"The case can be settled by: {', '.join(allowed)}." if allowed else "The case is settled already."
        return ApiError("not_allowed", words)
    binding_id = _judge_or_undo(context, exception_id, waiting, how) if waiting else None
    if isinstance(binding_id, ApiError):
        return binding_id
    if not waiting:
        _discard_quarantined(db, exception_id, now_ms)
    settlement = {"how": how, "reason": request.payload.get("reason", ""), "patient_id": request.named("patient_id")}
    if binding_id is not None:
        settlement["binding_id"] = binding_id
    close_case(db, exception_id, who, settlement, now_ms)
    detail = {"exception_id": exception_id, "how": how}
    named = request.named("patient_id") or case.patient_id
    patient_id = patient_named(db, named) if named else None
    note(db, who, AuditKind.SETTLE, now_ms, patient_id=patient_id, action_id=request.action_id, detail=detail)
    verdicts = [_verdict(db, each.verdict_id) for each in waiting]
    return SettledCase(exception_id, how, verdicts, binding_id)


def _judge_or_undo(
    context: ActionContext, exception_id: str, waiting: list[WaitingAction], how: Settlement
) -> BindingId | ApiError | None:
    """Judges the actions of a case, and returns the binding that staff made with it. Undoes both where one action fails
    with an internal error.
    """
    judging = judging_context(context.db, context.centre.definitions, context.centre.ids, context.now_ms)
    try:
        with context.db.savepoint():
            if how is Settlement.REASSIGN:
                return _reassign(context, judging, exception_id, waiting)
            return _judge(context, judging, waiting, how)
    except Exception as error:
        if not is_of_the_action(error):
            raise
        log.error("a case cannot be settled by %s: %s", how, type(error).__name__)  # noqa: TRY400
        return _FAILS_INSIDE


def _judge(
    context: ActionContext, judging: JudgingContext, waiting: list[WaitingAction], how: Settlement
) -> ApiError | None:
    db = context.db
    if how is Settlement.DISCARD:
        discard_case(db, judging, waiting)
        return None
    if apply_case(db, judging, waiting):
        return None
    return _NOT_APPLICABLE if _is_known_patient(db, waiting[0]) else _APPLIES_TO_NOBODY


def _reassign(
    context: ActionContext, judging: JudgingContext, exception_id: str, waiting: list[WaitingAction]
) -> BindingId | ApiError | None:
    """Judges the actions of a case as another patient's and, where staff want it, binds their card to the patient.

    The other actions that waited for the card are judged too. Where the card cannot be bound, nothing is written.
    """
    db, named = context.db, context.request.named("patient_id")
    patient_id = patient_named(db, named) if named else None
    if patient_id is None:
        return UNKNOWN_PATIENT
    card, binding_id = read_case_card(db, exception_id), None
    cards = context.centre.keys.stored(card.cards)
    if context.request.payload.get("bind"):
        binding_id = card.fault or bind_in_action(context, patient_id, cards, BindingOrigin.CASE)
        if isinstance(binding_id, ApiError):
            return binding_id
    reassign_case(db, judging, waiting, patient_id, _visit_for(db, judging, patient_id))
    if binding_id is not None:
        rejudge_bound(context, cards)
    return binding_id


def _is_known_patient(db: ReadTransaction, waiting: WaitingAction) -> bool:
    intent = waiting.intent
    found = read_identities(db, intent.patient_id, intent.card, intent.binding_id)
    return found.patient is not None or (intent.provisional and found.card_holder is not None)


def _visit_for(db: ReadTransaction, judging: JudgingContext, patient_id: PatientId) -> VisitId:
    """The visit for reassigned actions: the patient's open visit, else a new id for the visit that they open."""
    journey = read_journey(db, judging.definitions, patient_id, judging.today)
    assert journey is not None
    return journey.visit_id or VisitId(judging.ids())


def _discard_quarantined(db: WriteTransaction, exception_id: str, now_ms: int) -> None:
    """Discards the quarantined records of a case without actions."""
    for verdict_id in quarantined_verdicts(db, exception_id):
        discard_verdict(db, verdict_id, now_ms)


def _verdict(db: ReadTransaction, verdict_id: str) -> SettledVerdict:
    record = latest_verdict(db, verdict_id)
    assert record is not None
    return SettledVerdict(verdict_id, record.verdict, record.code, record.revision, record.patient_id)
