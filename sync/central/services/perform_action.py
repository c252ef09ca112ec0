"""A patient's or a staff member's action on a journey: `decide()`, and one transaction for all its rows."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.days.open_journey import Opened, open_read
from sync.central.records.first_read import By, FirstRead, Wanted
from sync.central.records.history import day_end
from sync.central.records.queue_numbers import open_in_line
from sync.central.services.answers import Answer, refused_at
from sync.central.services.contradiction import Contradiction
from sync.central.services.current_state import NOT_COUNTED, CurrentState, current_state
from sync.central.services.errors import CARD_BLOCKED, CARD_OF_ANOTHER, DECIDED_ELSEWHERE, UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.pressed import contradiction, save_decision
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.journey.definitions import ActionRule
from sync.journey.meaning import waits
from sync.journey.model import (
    Action,
    ActionId,
    Decision,
    Exam,
    ExamId,
    Journey,
    Opens,
    PatientId,
    QueueEntry,
    QueueId,
    Refusal,
    VisitId,
)
from sync.journey.rules import decide, may_send

NOTHING_OPENS = Opens(VisitId(""), QueueId(""), "", Exam(ExamId(""), "", "", ""))  # for an action that opens nothing
_NOBODY_NAMED = ApiError("unknown_patient", "The request names no known patient.")


def perform(centre: Centre, requester: Requester, patient_id: str | None, request: ActionRequest) -> Answer:
    """Does an action for a patient and answers with the patient's state after it.

    Without `patient_id` the card in the payload names the patient. Raises BearerChanged, as `once()` does.
    """

    rule = centre.definitions.actions.get(request.action_type)
    by = By.NAME if patient_id is not None else By.CARD if request.cards else By.NOTHING
    wanted = Wanted(
        request.action_id,
        by,
        patient_id or "",
        centre.keys.stored(request.cards),
        takes_number=rule is not None and rule.opens_entry,
        token_hash=requester.expected.token_hash if requester.expected else "",
    )

    def find_subject(context: ActionContext) -> Subject | Answer:
        found = _patient(context.found, patient_id)
        if isinstance(found, str) and _is_decided_elsewhere(context, rule):
            return refused_at(context.db, centre, context.today, requester.actor, found, DECIDED_ELSEWHERE)
        if isinstance(found, ApiError):
            return refused_at(context.db, centre, context.today, requester.actor, patient_id, found)
        return Subject(found, found)

    def act(context: ActionContext, _: Subject) -> CurrentState | Refusal | Contradiction | ApiError:
        if context.found.is_blocked:  # not before: a repeat of an action from before the block stays a repeat
            return CARD_BLOCKED
        opened = open_day(context)
        if found := contradiction(context, opened.journey):
            return found
        decision = _decide(context, opened.journey)
        if isinstance(decision, Refusal):
            return decision
        if decision.opened is not None:
            return _save_with_number(context, opened, decision, decision.opened)
        save_decision(context, opened, decision)
        return state_after(context, decision)

    return once(centre, requester, request, find_subject, act, wanted=wanted, beside=True)


def decide_and_save(
    context: ActionContext, decide_on: Callable[[Journey], Decision | Refusal]
) -> Decision | Refusal | Contradiction:
    """Opens the journey of today of the request's patient, decides on it, and writes the rows of an accepted action."""
    opened = open_day(context)
    decision = contradiction(context, opened.journey) or decide_on(opened.journey)
    if isinstance(decision, Decision):
        save_decision(context, opened, decision)
    return decision


def state_after(context: ActionContext, decision: Decision, ahead: Mapping[QueueId, int] = NOT_COUNTED) -> CurrentState:
    """The patient's state after an accepted action, for the answer and for the sockets that see it alike.

    `ahead` are the people before entries, where they were counted already.
    """
    actor, journey, definitions = context.requester.actor, decision.journey, context.centre.definitions
    state = current_state(context.db, definitions, context.site, journey, actor, context.now_ms, ahead)
    context.db.announce_state(journey.patient_id, state, actor.role)
    return state


def open_day(context: ActionContext) -> Opened:
    """The journey of today of the request's patient, for an action that changes it."""
    return open_read(context.db, context.centre.definitions, context.found, context.today, day_end(context.now_ms))


def _save_with_number(context: ActionContext, opened: Opened, decision: Decision, entry: QueueEntry) -> CurrentState:
    """Writes a decision that opens an entry, which gets its queue number. A refused action takes none.

    Returns the state after it.
    """
    definitions, day = context.centre.definitions, decision.journey.site_day
    used = context.found.used_numbers.get(day, 0)
    opening = open_in_line(context.db, definitions, context.site.ticket_prefix, day, entry, context.now_ms, used)
    numbered = replace(entry, queue_number=opening.queue_number)
    decision = replace(decision, journey=decision.journey.with_entry(numbered))
    save_decision(context, opened, decision, opening.change)
    if not context.db.has_overtaken_nobody(opening.change):
        return state_after(context, decision)  # those before the entry are counted again
    ahead = opening.people_ahead if waits(definitions, entry) else 0
    return state_after(context, decision, {entry.queue_id: ahead})


def _patient(found: FirstRead, patient_id: str | None) -> PatientId | ApiError:
    """The patient that an action is for. Where the request names the patient, an unknown card is accepted, and another
    patient's card is refused. A blocked card names nobody.
    """
    if patient_id is not None and found.patient_id is None:
        return UNKNOWN_PATIENT
    if patient_id is not None and found.holder not in (None, found.patient_id):
        return CARD_OF_ANOTHER
    if found.patient_id is None and found.is_blocked:
        return CARD_BLOCKED
    return found.patient_id or _NOBODY_NAMED


def _is_decided_elsewhere(context: ActionContext, rule: ActionRule | None) -> bool:
    """Whether another system decides the action. A repeat of an action that was done here stays a repeat."""
    if rule is None or context.found.answer is not None:
        return False
    return rule.name in context.site.site.decided_elsewhere and may_send(rule, context.requester.actor)


def _decide(context: ActionContext, journey: Journey) -> Decision | Refusal:
    definitions, request = context.centre.definitions, context.request
    rule = definitions.actions.get(request.action_type)
    queue_id, exam_id = request.named("queue_id"), request.named("exam_id")
    action = Action(
        ActionId(request.action_id),
        request.action_type,
        context.requester.actor,
        context.now_ms,
        _opens(context, new_ids=rule is not None and bool(rule.visit or rule.opens_entry)),
        QueueId(queue_id) if queue_id else None,
        ExamId(exam_id) if exam_id else None,
        request.named("room"),
        request.payload,
    )
    return decide(definitions, journey, action)


def _opens(context: ActionContext, *, new_ids: bool) -> Opens:
    """The ids of what the action may open. An action that opens nothing needs none."""
    visit_id, queue_id = (context.centre.ids(), context.centre.ids()) if new_ids else ("", "")
    return Opens(VisitId(visit_id), QueueId(queue_id), "", context.site.site.walk_in)
