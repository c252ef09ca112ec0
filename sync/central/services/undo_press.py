"""Undoes a press of staff on an entry, as long as nothing newer has happened to its patient."""

from sync.central.centre import Centre
from sync.central.records.first_read import By, Wanted
from sync.central.records.journeys import add_correction, save
from sync.central.records.last_changes import last_change_after
from sync.central.records.presses import Press, end_press, read_press
from sync.central.services.answers import Answer, refused
from sync.central.services.contradiction import Contradiction
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import DECIDED_ELSEWHERE, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.perform_action import open_day, state_after
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.standing import change_after
from sync.journey.definitions import Definitions
from sync.journey.meaning import calling
from sync.journey.model import BuiltIn, Journey
from sync.journey.take_back import knows
from sync.journey.undo import undo

_NO_PRESS = ApiError("not_found", "There is no such press of today.")
_NOT_UNDOABLE = ApiError("not_undoable", "Something newer has happened, or the press was undone already.")


def undo_press(centre: Centre, requester: Requester, request: ActionRequest) -> Answer:
    """Undoes the press whose action id is `undoes` of the payload. Anybody who may press may undo.

    Answers with the patient's state after it.
    """
    undoes = str(request.named("undoes")).lower()

    def find_subject(context: ActionContext) -> Subject | Answer:
        patient_id = context.found.patient_id
        return refused(_NO_PRESS) if patient_id is None else Subject(patient_id, patient_id)

    def act(context: ActionContext, _: Subject) -> CurrentState | Contradiction | ApiError:
        opened, press = open_day(context), read_press(context.db, undoes)
        assert press is not None
        if _is_decided_elsewhere(context, press):
            return DECIDED_ELSEWHERE
        change = press.way_back.journey
        if change is None or not _is_undoable(centre.definitions, opened.journey, press):
            return _not_undoable(context, opened.journey, press)
        decision = undo(centre.definitions, opened.journey, change)
        save(context.db, opened.stored, decision, context.provenance, BuiltIn.UNDO)
        end_press(context.db, press, context.now_ms, opened.journey.journey_version)
        if decision.journey.state != opened.journey.state and decision.journey.visit_id is not None:
            # A kiosk may have built on the state before the undo. One that never knew it is judged as always.
            add_correction(context.db, decision.journey, change.journey_version + 1)
        return state_after(context, decision)

    return once(centre, requester, request, find_subject, act, wanted=Wanted(request.action_id, By.PRESS, undoes))


def _is_decided_elsewhere(context: ActionContext, press: Press) -> bool:
    rule = calling(context.centre.definitions)
    action = rule.name if rule and press.action == BuiltIn.CALL_NEXT else press.action
    return action in context.site.site.decided_elsewhere


def _is_undoable(definitions: Definitions, journey: Journey, press: Press) -> bool:
    change = press.way_back.journey
    is_last = press.holds_version == journey.journey_version and press.site_day == journey.site_day
    return change is not None and not press.is_undone and is_last and knows(definitions, [change])


def _not_undoable(context: ActionContext, journey: Journey, press: Press) -> Contradiction:
    later = last_change_after(context.db, journey.patient_id, press.change)
    return Contradiction(
        _NOT_UNDOABLE, journey, after=change_after(later, context.site.site.timezone) if later else None
    )
