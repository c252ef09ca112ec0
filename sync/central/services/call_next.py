"""Calls the first patient in the line of an exam, if it still is the one whom the screen of the room shows."""

from sync.central.centre import Centre
from sync.central.records.entries import first_in_line
from sync.central.records.first_read import By, Wanted
from sync.central.services.answers import Answer, refused, refused_at
from sync.central.services.contradiction import Contradiction
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import DECIDED_ELSEWHERE, NO_ENTRY, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.perform_action import NOTHING_OPENS, open_day, state_after
from sync.central.services.pressed import save_decision
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.standing import entry_now
from sync.journey.meaning import calling, ready
from sync.journey.model import Action, ActionId, Journey, QueueId, Refusal
from sync.journey.rules import decide

_LINE_MOVED = ApiError("line_moved", "The entry is not the first one of the line any more.")


def call_next(centre: Centre, requester: Requester, request: ActionRequest) -> Answer:
    """Calls the entry `queue_id` of the payload into `room`, if it is the first of the line of `exam_id`.

    Answers with the patient's state after it. Two rooms that press at once call one patient: the transaction looks at
    the line in its turn.
    """
    queue_id, exam_id = str(request.named("queue_id")), str(request.named("exam_id"))

    def find_subject(context: ActionContext) -> Subject | Answer:
        patient_id, rule = context.found.patient_id, calling(centre.definitions)
        if patient_id is None:
            return refused(NO_ENTRY)
        if rule is None or (rule.name in context.site.site.decided_elsewhere and context.found.answer is None):
            return refused_at(context.db, centre, context.today, requester.actor, patient_id, DECIDED_ELSEWHERE)
        return Subject(patient_id, patient_id)

    def act(context: ActionContext, _: Subject) -> CurrentState | Refusal | Contradiction:
        opened, rule = open_day(context), calling(centre.definitions)
        assert rule is not None
        first = first_in_line(context.db, ready(centre.definitions), context.today, exam_id)
        if first != queue_id:
            return _line_moved(context, opened.journey, queue_id, first)
        actor, room = requester.actor, request.named("room")
        call = Action(
            ActionId(request.action_id), rule.name, actor, context.now_ms, NOTHING_OPENS, QueueId(queue_id), room=room
        )
        decision = decide(centre.definitions, opened.journey, call)
        if isinstance(decision, Refusal):
            return decision
        save_decision(context, opened, decision, action=rule.name)
        return state_after(context, decision)

    return once(centre, requester, request, find_subject, act, wanted=Wanted(request.action_id, By.ENTRY, queue_id))


def _line_moved(context: ActionContext, journey: Journey, queue_id: str, first: str | None) -> Contradiction:
    zone = context.site.site.timezone
    entry = entry_now(context.db, queue_id, zone)
    following = entry_now(context.db, first, zone) if first is not None else None
    return Contradiction(_LINE_MOVED, journey, entry=entry, next=following)
