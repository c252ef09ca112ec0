"""Direct changes by staff: the state of a queue entry, or a correction of a patient's journey."""

from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.first_read import By, Wanted
from sync.central.records.journeys import add_correction
from sync.central.services.answers import Answer, refused
from sync.central.services.contradiction import Contradiction
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import NO_ENTRY, UNKNOWN_PATIENT
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.perform_action import decide_and_save, state_after
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.journey.correction import correct
from sync.journey.model import Decision, Journey, QueueId, Refusal
from sync.journey.rules import change_entry as decide_entry


def change_entry(centre: Centre, requester: Requester, queue_id: str, request: ActionRequest) -> Answer:
    """Sets a queue entry to the `state` of the payload, for its `reason`; the journey follows.

    Answers with the patient's state after it.
    """

    def find_subject(context: ActionContext) -> Subject | Answer:
        patient_id = context.found.patient_id
        return refused(NO_ENTRY) if patient_id is None else Subject(patient_id, patient_id)

    def act(context: ActionContext, _: Subject) -> CurrentState | Refusal | Contradiction:
        def decide_on(journey: Journey) -> Decision | Refusal:
            state = str(request.payload["state"])
            return _with_reason(decide_entry(centre.definitions, journey, QueueId(queue_id), state), request)

        decision = decide_and_save(context, decide_on)
        return state_after(context, decision) if isinstance(decision, Decision) else decision

    return once(centre, requester, request, find_subject, act, wanted=Wanted(request.action_id, By.ENTRY, queue_id))


def correct_journey(centre: Centre, requester: Requester, patient_id: str, request: ActionRequest) -> Answer:
    """Sets a patient's journey to the `state` of the payload, for its `reason`.

    Kiosk actions made before their kiosk learns of the correction are superseded by it.
    """

    def find_subject(context: ActionContext) -> Subject | Answer:
        named = context.found.patient_id
        return refused(UNKNOWN_PATIENT) if named is None else Subject(named, named)

    def act(context: ActionContext, _: Subject) -> CurrentState | Refusal | Contradiction:
        def decide_on(journey: Journey) -> Decision | Refusal:
            return _with_reason(correct(centre.definitions, journey, str(request.payload["state"])), request)

        decision = decide_and_save(context, decide_on)
        if not isinstance(decision, Decision):
            return decision
        add_correction(context.db, decision.journey)
        return state_after(context, decision)

    return once(centre, requester, request, find_subject, act, wanted=Wanted(request.action_id, By.NAME, patient_id))


def _with_reason(decision: Decision | Refusal, request: ActionRequest) -> Decision | Refusal:
    """A decision with the reason of the staff in its queue history, where there is one."""
    reason = str(request.payload.get("reason") or "")
    if isinstance(decision, Refusal) or not reason:
        return decision
    return replace(decision, entry_changes=tuple(replace(each, reason=reason) for each in decision.entry_changes))
