"""Writes a note for staff on an entry. It stays at the centre: no kiosk, no app, no feed and no log ever has it."""

from sync.central.centre import Centre
from sync.central.records.entry_marks import NoteMark, marks_of, write_note
from sync.central.records.first_read import By, Wanted
from sync.central.records.journeys import mark_changed
from sync.central.records.presses import WayBack
from sync.central.services.answers import Answer, refused
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import NO_ENTRY
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.perform_action import open_day, state_after
from sync.central.services.pressed import record_press
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.journey.model import Decision, QueueId, Refusal, RefusalCode


def set_note(centre: Centre, requester: Requester, queue_id: str, request: ActionRequest) -> Answer:
    """Writes the `text` of the payload as the note of an entry, in place of an older one. An empty text ends it.

    Answers with the patient's state, which the note is no part of.
    """

    def find_subject(context: ActionContext) -> Subject | Answer:
        patient_id = context.found.patient_id
        return refused(NO_ENTRY) if patient_id is None else Subject(patient_id, patient_id)

    def act(context: ActionContext, _: Subject) -> CurrentState | Refusal:
        db, journey = context.db, open_day(context).journey
        if journey.entry(QueueId(queue_id)) is None:
            return Refusal(RefusalCode.NO_SUCH_ENTRY, request.action_type, journey.state)
        was, text = marks_of(db, queue_id).note, (request.named("text") or "").strip()
        write_note(db, queue_id, NoteMark(text, requester.who, context.now_ms, request.action_id))
        change = mark_changed(db, journey.patient_id)
        record_press(context, journey, queue_id, WayBack(note=was), change)
        return state_after(context, Decision(journey, ()))

    return once(centre, requester, request, find_subject, act, wanted=Wanted(request.action_id, By.ENTRY, queue_id))
