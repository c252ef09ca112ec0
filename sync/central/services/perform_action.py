"""A patient's or a staff member's action on a journey: `decide()`, and one transaction for all its rows."""

from collections.abc import Callable

from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.days.open_journey import open_read
from sync.central.records.first_read import By, FirstRead, Wanted
from sync.central.records.history import day_end
from sync.central.records.journeys import save
from sync.central.records.queue_numbers import next_queue_number
from sync.central.services.answers import Answer, refused_at
from sync.central.services.current_state import CurrentState, current_state
from sync.central.services.errors import CARD_BLOCKED, CARD_OF_ANOTHER, UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
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
        if isinstance(found, ApiError):
            return refused_at(context.db, centre, context.today, requester.actor, patient_id, found)
        return Subject(found, found)

    def act(context: ActionContext, _: Subject) -> CurrentState | Refusal | ApiError:
        if context.found.is_blocked:  # not before: a repeat of an action from before the block stays a repeat
            return CARD_BLOCKED
        decision = decide_and_save(context, lambda journey: _decide(context, journey))
        return decision if isinstance(decision, Refusal) else state_after(context, decision)

    return once(centre, requester, request, find_subject, act, wanted=wanted)


def decide_and_save(context: ActionContext, decide_on: Callable[[Journey], Decision | Refusal]) -> Decision | Refusal:
    """Opens the journey of today of the request's patient, decides on it, and writes the rows of an accepted action."""
    db, definitions = context.db, context.centre.definitions
    opened = open_read(db, definitions, context.found, context.today, day_end(context.now_ms))
    decision = decide_on(opened.journey)
    if isinstance(decision, Decision):
        save(db, opened.stored, decision, context.provenance, context.request.action_type)
    return decision


def state_after(context: ActionContext, decision: Decision) -> CurrentState:
    """The patient's state after an accepted action, for the answer and for the sockets that see it alike."""
    actor, journey = context.requester.actor, decision.journey
    state = current_state(context.db, context.centre.definitions, context.site, journey, actor, context.now_ms)
    context.db.announce_state(journey.patient_id, state, actor.role)
    return state


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
    if isinstance(decision, Refusal) or (opened := decision.opened) is None:
        return decision
    # Only an entry that opens takes a number, so a refused action takes none.
    prefix = context.site.ticket_prefix
    used = context.found.used_numbers.get(journey.site_day, 0)
    label = next_queue_number(context.db, definitions, prefix, journey.site_day, context.now_ms, used)
    return replace(decision, journey=decision.journey.with_entry(replace(opened, queue_number=label)))


def _opens(context: ActionContext, *, new_ids: bool) -> Opens:
    """The ids of what the action may open. An action that opens nothing needs none."""
    visit_id, queue_id = (context.centre.ids(), context.centre.ids()) if new_ids else ("", "")
    return Opens(VisitId(visit_id), QueueId(queue_id), "", context.site.site.walk_in)
