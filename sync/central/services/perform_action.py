"""A patient's or a staff member's action on a journey: `decide()`, and one transaction for all its rows."""

from collections.abc import Callable
from dataclasses import replace

from sync.central.centre import Centre
from sync.central.days.open_journey import open_journey
from sync.central.records.bindings import binding_of_card
from sync.central.records.card_blocks import block_of_card
from sync.central.records.history import day_end
from sync.central.records.journeys import save
from sync.central.records.patients import patient_named
from sync.central.records.queue_numbers import next_queue_number
from sync.central.services.answers import Answer, refused_at
from sync.central.services.current_state import CurrentState, current_state
from sync.central.services.errors import CARD_BLOCKED, CARD_OF_ANOTHER, UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Requester, Subject, once
from sync.central.services.requests import ActionRequest
from sync.journey.model import (
    Action,
    ActionId,
    Decision,
    ExamId,
    Journey,
    Opens,
    PatientId,
    QueueId,
    Refusal,
    VisitId,
)
from sync.journey.rules import decide

_NOBODY_NAMED = ApiError("unknown_patient", "The request names no known patient.")


def perform(centre: Centre, requester: Requester, patient_id: str | None, request: ActionRequest) -> Answer:
    """Does an action for a patient and answers with the patient's state after it.

    Without `patient_id` the card in the payload names the patient.
    """

    def find_subject(context: ActionContext) -> Subject | Answer:
        found = _patient(context, patient_id)
        if isinstance(found, ApiError):
            return refused_at(context.db, centre, context.today, requester.actor, patient_id, found)
        return Subject(found, found)

    def act(context: ActionContext, subject: Subject) -> CurrentState | Refusal | ApiError:
        if _is_blocked(context):  # not before: a repeat of an action from before the block stays a repeat
            return CARD_BLOCKED
        decision = decide_and_save(context, subject, lambda journey: _decide(context, journey))
        return decision if isinstance(decision, Refusal) else state_after(context, decision)

    return once(centre, requester, request, find_subject, act)


def decide_and_save(
    context: ActionContext, subject: Subject, decide_on: Callable[[Journey], Decision | Refusal]
) -> Decision | Refusal:
    """Opens the subject's journey of today, decides on it, and writes the rows of an accepted action."""
    db, definitions = context.db, context.centre.definitions
    journey = open_journey(db, definitions, subject.record_id, context.today, day_end(context.now_ms))
    assert journey is not None
    decision = decide_on(journey)
    if isinstance(decision, Decision):
        save(db, journey, decision, context.provenance, context.request.action_type)
    return decision


def state_after(context: ActionContext, decision: Decision) -> CurrentState:
    """The patient's state after an accepted action, for the answer."""
    actor = context.requester.actor
    return current_state(context.db, context.centre.definitions, context.site, decision.journey, actor, context.now_ms)


def _patient(context: ActionContext, patient_id: str | None) -> PatientId | ApiError:
    """The patient that an action is for. Where the request names the patient, an unknown card is accepted, and another
    patient's card is refused. A blocked card names nobody.
    """
    named = patient_named(context.db, patient_id) if patient_id is not None else None
    if patient_id is not None and named is None:
        return UNKNOWN_PATIENT
    holder = binding_of_card(context.db, context.request.cards) if context.request.cards else None
    if holder is not None and named is not None and holder.patient_id != named:
        return CARD_OF_ANOTHER
    if named is None and holder is None and _is_blocked(context):
        return CARD_BLOCKED
    return named or (holder.patient_id if holder else _NOBODY_NAMED)


def _is_blocked(context: ActionContext) -> bool:
    return block_of_card(context.db, context.request.cards) is not None


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
    decision = decide(definitions, journey, action)
    if isinstance(decision, Refusal) or decision.opened is None:
        return decision
    # Only an entry that opens takes a number, so a refused action takes none.
    prefix = context.site.ticket_prefix
    label = next_queue_number(context.db, definitions, prefix, journey.site_day, context.now_ms)
    return decide(definitions, journey, replace(action, opens=replace(action.opens, queue_number=label)))


def _opens(context: ActionContext, *, new_ids: bool) -> Opens:
    """The ids of what the action may open. An action that opens nothing needs none."""
    visit_id, queue_id = (context.centre.ids(), context.centre.ids()) if new_ids else ("", "")
    return Opens(VisitId(visit_id), QueueId(queue_id), "", context.site.site.walk_in)
