"""Tells what a settlement of a case would do: it is done in a part of a transaction, looked at, and undone."""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import binding_of_card
from sync.central.records.cases import InboxCase, read_case
from sync.central.records.first_read import Wanted, first_read
from sync.central.records.journeys import read_journey
from sync.central.records.patients import patient_named
from sync.central.records.quarantine import quarantined_verdicts
from sync.central.records.verdicts import latest_verdict
from sync.central.records.waiting import WaitingAction, case_of_waiting, has_waiting, waiting_for_card, waiting_of_case
from sync.central.services.case_card import read_case_card
from sync.central.services.case_people import CasePatient, case_patient
from sync.central.services.current_state import CurrentState, current_state
from sync.central.services.errors import NO_CASE, ApiError
from sync.central.services.named_patients import named_patients
from sync.central.services.once import ActionContext
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.settle_case import settle_in_action
from sync.central.services.settlement import Settlement
from sync.central.services.told import Told, told_of
from sync.journey.model import STAFF, PatientId
from sync.protocol import Code, Verdict


class ForeseenPatient(CasePatient, frozen=True, kw_only=True):
    """A patient whom the settlement concerns, with the states `before` and `after` it."""

    before: CurrentState
    after: CurrentState


class ForeseenAction(msgspec.Struct, frozen=True):
    """An action and the verdict that its kiosk would get. `exception_id` is the case in which the action waits now.

    `waits`: it would wait for staff again, for the reason `code`.
    """

    action_id: str
    action_type: str
    exception_id: str
    verdict: Verdict
    code: Code
    patient_id: str | None
    waits: bool


class ForeseenCase(msgspec.Struct, frozen=True):
    """Another case that would be settled with this one."""

    exception_id: str
    code: str


class ForeseenRefusal(msgspec.Struct, frozen=True):
    """Why the case cannot be settled so: a code for programs, an English sentence."""

    code: str
    error: str


class Foreseen(msgspec.Struct, frozen=True):
    """What a settlement of a case would do now. Nothing of it is done.

    - `seen`: stands for all of it. A settlement that names it is refused once the effect would be another one.
    - `refusal`: why the case cannot be settled so; null where it can.
    - `actions`: of this case, and of the cases that would be settled with it.
    - `unread`: the number of records without actions that would be discarded.
    - `binds`: the card would become the patient's. `card_of` is the patient who would lose it.
    """

    exception_id: str
    how: Settlement
    seen: str
    refusal: ForeseenRefusal | None = None
    patients: list[ForeseenPatient] = []
    actions: list[ForeseenAction] = []
    other_cases: list[ForeseenCase] = []
    unread: int = 0
    binds: bool = False
    card_of: CasePatient | None = None


class _Undone(Exception):
    """Undoes the settlement that was looked at."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What is there before the settlement: the case, the actions that it may concern, and the holder of its card."""

    case: InboxCase
    actions: Sequence[WaitingAction]
    unread: int
    card_of: PatientId | None


@dataclass(frozen=True, slots=True)
class _After:
    """What is there after it: the verdicts, the cases that it has settled too, and the states of those concerned."""

    actions: list[ForeseenAction]
    other_cases: list[ForeseenCase]
    states: Mapping[PatientId, CurrentState]


def preview_case(
    centre: Centre, requester: Requester, exception_id: str, payload: Mapping[str, object]
) -> Told | ApiError:
    """A Foreseen of a settlement. The payload is that of `read_settlement()`. Nothing is left of it in the database."""
    now_ms = centre.clock()
    request = ActionRequest("settle", centre.ids(), payload)
    with centre.store.write() as db:
        found = first_read(db, Wanted(request.action_id), now_ms)
        context = ActionContext(centre, db, found, requester, request, now_ms)
        foreseen = foresee(context, exception_id)
        if isinstance(foreseen, ApiError):
            return foreseen
        return told_of(foreseen, AuditKind.LOOK_CASE, named_patients(db, foreseen))


def foresee(context: ActionContext, exception_id: str) -> Foreseen | ApiError:
    """What the settlement of a request would do in the transaction of its action. An unknown case is an error."""
    case = read_case(context.db, exception_id)
    if case is None:
        return NO_CASE
    how, before = Settlement(context.request.payload["how"]), _before(context, case)
    refusal, after = _tried(context, before, how)
    states = {} if after is None else {each: _state(context, each) for each in after.states}
    is_bound = after is not None and bool(context.request.payload.get("bind"))
    foreseen = Foreseen(
        exception_id,
        how,
        "",
        None if refusal is None else ForeseenRefusal(refusal.code, refusal.message),
        [] if after is None else [_patient(context, each, states[each], after.states[each]) for each in after.states],
        [] if after is None else after.actions,
        [] if after is None else after.other_cases,
        0 if after is None else before.unread,
        is_bound,
        case_patient(context.db, before.card_of) if is_bound and before.card_of else None,
    )
    return msgspec.structs.replace(foreseen, seen=_digest(case, foreseen))


def _before(context: ActionContext, case: InboxCase) -> _Before:
    db, own = context.db, waiting_of_case(context.db, case.exception_id)
    others: list[WaitingAction] = []
    card_of = None
    if context.request.payload.get("bind"):
        cards = context.centre.keys.stored(read_case_card(db, case.exception_id).cards)
        bound = binding_of_card(db, cards)
        named = _named(context)
        card_of = bound.patient_id if bound and bound.patient_id != named else None
        ids = {each.verdict_id for each in own}
        others = [each for each in waiting_for_card(db, cards, Code.UNKNOWN_CARD) if each.verdict_id not in ids]
    unread = 0 if own else len(quarantined_verdicts(db, case.exception_id))
    return _Before(case, [*own, *others], unread, card_of)


def _tried(context: ActionContext, before: _Before, how: Settlement) -> tuple[ApiError | None, _After | None]:
    """The refusal of the settlement, or what is there after it. It is undone.

    A case without actions is not tried: to close it changes no journey, and it may hold hundreds of unread records.
    """
    if not before.actions and before.case.settled_ms is None and how is Settlement.DISCARD:
        return None, _after(context, before)
    refusal: ApiError | None = None
    after: _After | None = None
    with contextlib.suppress(_Undone), context.db.savepoint():
        settled = settle_in_action(context, before.case.exception_id, how)
        if isinstance(settled, ApiError):
            refusal = settled
        else:
            after = _after(context, before)
        raise _Undone
    return refusal, after


def _after(context: ActionContext, before: _Before) -> _After:
    db, own_id = context.db, before.case.exception_id
    actions = [_judged(context, own_id, each) for each in before.actions]
    changed = [each for each in actions if each is not None]
    ids = dict.fromkeys(each.exception_id for each in changed if each.exception_id != own_id)
    others = [case for each in ids if not has_waiting(db, each) and (case := read_case(db, each))]
    names = (before.case.patient_id, _named(context), before.card_of, *(each.patient_id for each in changed))
    concerned = dict.fromkeys(found for each in names if each and (found := patient_named(db, each)))
    return _After(
        changed,
        [ForeseenCase(each.exception_id, each.code) for each in others],
        {each: _state(context, each) for each in concerned},
    )


def _judged(context: ActionContext, own_id: str, waiting: WaitingAction) -> ForeseenAction | None:
    """An action after the settlement; None for an action of another case that still waits there."""
    record = latest_verdict(context.db, waiting.verdict_id)
    assert record is not None
    waits_in = case_of_waiting(context.db, waiting.verdict_id)
    if waits_in == waiting.exception_id != own_id:
        return None
    intent = waiting.intent
    return ForeseenAction(
        waiting.verdict_id,
        intent.action_type,
        waiting.exception_id,
        record.verdict,
        record.code,
        record.patient_id,
        waits_in is not None,
    )


def _named(context: ActionContext) -> PatientId | None:
    named = context.request.named("patient_id")
    return patient_named(context.db, named) if named else None


def _state(context: ActionContext, patient_id: PatientId) -> CurrentState:
    centre = context.centre
    journey = read_journey(context.db, centre.definitions, patient_id, context.today)
    assert journey is not None
    return current_state(context.db, centre.definitions, context.site, journey, STAFF, context.now_ms)


def _patient(
    context: ActionContext, patient_id: PatientId, before: CurrentState, after: CurrentState
) -> ForeseenPatient:
    patient = case_patient(context.db, patient_id)
    assert patient is not None
    return ForeseenPatient(**msgspec.structs.asdict(patient), before=before, after=after)


def _digest(case: InboxCase, foreseen: Foreseen) -> str:
    """Stands for the effect. The waits of others and the ids of new rows do not count."""
    content = [
        case.code,
        case.count,
        foreseen.refusal,
        [[each.patient_id, _lasting(each.before), _lasting(each.after)] for each in foreseen.patients],
        foreseen.actions,
        foreseen.other_cases,
        foreseen.unread,
        foreseen.card_of,
    ]
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:32]


def _lasting(state: CurrentState) -> list[object]:
    entries = [
        [each.queue_id, each.state, each.queue_number, each.label_aliases, each.room] for each in state.queue_details
    ]
    return [state.journey_state, entries, [[each.appointment_id, each.status] for each in state.appointments]]
