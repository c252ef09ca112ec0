"""Binds a card to a patient, for staff."""

from typing import Any

from sync.central.centre import Centre
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.records.audit import note
from sync.central.records.bindings import bind, binding_of_card
from sync.central.records.journeys import mark_changed
from sync.central.records.patients import patient_named
from sync.central.services.answers import Answer, refused
from sync.central.services.errors import UNKNOWN_PATIENT
from sync.central.services.once import ActionContext, Requester, Subject, once
from sync.central.services.requests import ActionRequest
from sync.journey.model import PatientId

BINDING = "bind"  # the action type


def bind_card(centre: Centre, requester: Requester, patient_id: str, request: ActionRequest) -> Answer:
    """Binds the card of the request to a patient, and re-judges the actions that waited for that card.

    Answers with {binding_id, patient_id}. Another patient's binding of the card ends.
    """

    def find_subject(context: ActionContext) -> Subject | Answer:
        named = patient_named(context.db, patient_id)
        # The id as it was sent: a merge of records in between leaves a repeat a repeat.
        return refused(UNKNOWN_PATIENT) if named is None else Subject(patient_id, named)

    def act(context: ActionContext, subject: Subject) -> dict[str, Any]:
        assert subject.patient_id is not None
        return _bind(context, subject.patient_id)

    return once(centre, requester, request, find_subject, act)


def _bind(context: ActionContext, patient_id: PatientId) -> dict[str, Any]:
    db, centre, now_ms, who = context.db, context.centre, context.now_ms, context.requester.who
    cards, action_id = context.request.cards, context.request.action_id
    before = binding_of_card(db, cards)
    binding_id = bind(db, patient_id, cards, centre.ids(), now_ms)
    for holder in {patient_id, before.patient_id if before else patient_id}:
        mark_changed(db, holder)
    rejudge_card(db, judging_context(db, centre.definitions, centre.ids, now_ms), cards, who)
    note(db, who, BINDING, now_ms, patient_id=patient_id, action_id=action_id, detail={"binding_id": binding_id})
    return {"binding_id": binding_id, "patient_id": patient_id}
