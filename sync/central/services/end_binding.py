"""Ends a binding: staff take a card from a patient. The card is unknown from then on."""

from sync.central.centre import Centre
from sync.central.records import bindings
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.journeys import mark_changed
from sync.central.services.answers import Answer
from sync.central.services.bindings import ChangedBinding, binding_subject
from sync.central.services.errors import ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest

ENDING = "end_binding"  # the action type
_ENDED = ApiError("not_allowed", "The binding has ended already.")


def end_binding(
    centre: Centre, requester: Requester, patient_id: str, binding_id: str, request: ActionRequest
) -> Answer:
    """Ends a patient's binding, for the `reason` of the payload. Answers with a ChangedBinding.

    Kiosks learn it with their next pull. Actions that were made under the binding stay the patient's.
    """

    def act(context: ActionContext, subject: Subject) -> ChangedBinding | ApiError:
        assert subject.patient_id is not None
        return _end(context, subject.patient_id, binding_id)

    return once(centre, requester, request, binding_subject(patient_id, binding_id), act)


def _end(context: ActionContext, patient_id: str, binding_id: str) -> ChangedBinding | ApiError:
    db, request, now_ms, who = context.db, context.request, context.now_ms, context.requester.who
    found = bindings.read_binding(db, binding_id)
    if found is None or found.end_ms is not None:
        return _ENDED
    bindings.end_binding(db, binding_id, now_ms, who, request.named("reason") or "")
    mark_changed(db, patient_id)
    detail = {"binding_id": binding_id}
    note(db, who, AuditKind.END_BINDING, now_ms, patient_id=patient_id, action_id=request.action_id, detail=detail)
    return ChangedBinding(binding_id, patient_id, "ended")
