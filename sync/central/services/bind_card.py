"""Binds a card to a patient, for staff."""

from collections.abc import Sequence

import msgspec

from sync.cards import SHORT_UID, CardHash
from sync.central.centre import Centre
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import BindingOrigin, BindingSource, bind, binding_of_card
from sync.central.records.card_blocks import block_of_card
from sync.central.records.journeys import mark_changed
from sync.central.records.patients import patient_named
from sync.central.services.answers import Answer, refused
from sync.central.services.errors import CARD_BLOCKED, UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.journey.model import BindingId, PatientId

BINDING = "bind"  # the action type
_SHORT_UID = ApiError("unusable_card", f"This card cannot be bound: {SHORT_UID.why}.")


class BoundCard(msgspec.Struct, frozen=True):
    """A card that was bound: the new binding, and the patient who holds the card now."""

    binding_id: str
    patient_id: str


def bind_card(centre: Centre, requester: Requester, patient_id: str, request: ActionRequest) -> Answer:
    """Binds the card of the request to a patient, and re-judges the actions that waited for that card.

    Answers with a BoundCard. Another patient's binding of the card ends. A blocked card is refused. The
    payload may hold a `label` for the card.
    """

    def find_subject(context: ActionContext) -> Subject | Answer:
        named = patient_named(context.db, patient_id)
        # The id as it was sent: a merge of records in between leaves a repeat a repeat.
        return refused(UNKNOWN_PATIENT) if named is None else Subject(patient_id, named)

    def act(context: ActionContext, subject: Subject) -> BoundCard | ApiError:
        assert subject.patient_id is not None
        return _bind(context, subject.patient_id)

    return once(centre, requester, request, find_subject, act)


def bind_in_action(
    context: ActionContext, patient_id: PatientId, cards: Sequence[CardHash], origin: BindingOrigin, label: str = ""
) -> BindingId | ApiError:
    """Binds a card within an action of staff, and notes it in the audit. A blocked card is refused, and nothing is
    written then.

    The caller re-judges the actions that waited for the card.
    """
    db, now_ms, who = context.db, context.now_ms, context.requester.who
    if block_of_card(db, cards) is not None:
        return CARD_BLOCKED
    before = binding_of_card(db, cards)
    binding_id = bind(db, patient_id, cards, context.centre.ids(), now_ms, BindingSource(origin, who, label))
    for holder in {patient_id, before.patient_id if before else patient_id}:
        mark_changed(db, holder)
    detail = {"binding_id": binding_id, "origin": origin}
    note(db, who, AuditKind.BIND, now_ms, patient_id=patient_id, action_id=context.request.action_id, detail=detail)
    return binding_id


def rejudge_bound(context: ActionContext, cards: Sequence[CardHash]) -> None:
    """Judges the actions again that waited for a card, which is bound now."""
    judging = judging_context(context.db, context.centre.definitions, context.centre.ids, context.now_ms)
    rejudge_card(context.db, judging, cards, context.requester.who)


def _bind(context: ActionContext, patient_id: PatientId) -> BoundCard | ApiError:
    if context.request.short_uid and context.site.site.refuse_short_uids:
        return _SHORT_UID
    cards, label = context.cards, context.request.named("label") or ""
    binding_id = bind_in_action(context, patient_id, cards, BindingOrigin.DESK, label)
    if isinstance(binding_id, ApiError):
        return binding_id
    rejudge_bound(context, cards)
    return BoundCard(binding_id, patient_id)
