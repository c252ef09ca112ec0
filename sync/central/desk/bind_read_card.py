"""Binds a card that a kiosk has read for the desk, and ends or blocks the card that it replaces, in one action."""

import msgspec

from sync.cards import CardHash
from sync.central.centre import Centre
from sync.central.desk.next_card import NO_CARD, state_of
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import (
    BindingOrigin,
    binding_of_card,
    end_binding,
    hashes_of_binding,
    read_binding,
)
from sync.central.records.card_blocks import begin_block, block_of_card
from sync.central.records.desk_cards import Ended, end_desk_card, read_desk_card
from sync.central.records.journeys import mark_changed
from sync.central.records.patients import patient_named
from sync.central.services.answers import Answer, refused
from sync.central.services.bind_card import bind_in_action, rejudge_bound
from sync.central.services.errors import CARD_BLOCKED, UNKNOWN_PATIENT, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.journey.model import PatientId

BIND_READ = "bind_read_card"  # the action type
_NO_BINDING = ApiError("not_found", "The patient has no such binding.")
_SAME_CARD = ApiError("not_allowed", "The card that was read is the one that it is to replace.")
_CHANGED = ApiError("changed_meanwhile", "The card has another holder now than the one on the screen.")
_UNUSABLE = ApiError("unusable_card", "The site accepts no cards of this kind.")


class BoundReadCard(msgspec.Struct, frozen=True):
    """A card that was read and is bound now. `ended` is the binding that it replaces, blocked or not; null for none."""

    binding_id: str
    patient_id: str
    ended: str | None
    blocked: bool


def bind_read_card(centre: Centre, requester: Requester, ask_id: str, request: ActionRequest) -> Answer:
    """Binds the card of a wait to the patient of the payload.

    The payload: `patient_id`, `label`, `seen_holder` (the patient whom the screen named as the card's holder, or none),
    `replaces` (the binding that ends), `block` (whether the replaced card is blocked too) and `reason`. Answers with a
    BoundReadCard.
    """

    def find_subject(context: ActionContext) -> Subject | Answer:
        named = patient_named(context.db, str(request.named("patient_id")))
        return refused(UNKNOWN_PATIENT) if named is None else Subject(ask_id, named)

    def act(context: ActionContext, subject: Subject) -> BoundReadCard | ApiError:
        assert subject.patient_id is not None
        return _bind(context, ask_id, subject.patient_id)

    return once(centre, requester, request, find_subject, act)


def _bind(context: ActionContext, ask_id: str, patient_id: PatientId) -> BoundReadCard | ApiError:
    db, request = context.db, context.request
    asked = read_desk_card(db, ask_id)
    if asked is None or asked.card is None or state_of(asked, context.now_ms) != "read":
        return NO_CARD
    cards, replaced = context.centre.keys.stored((asked.card,)), request.named("replaces")
    fault = _fault(context, cards, patient_id, replaced, short_uid=asked.short_uid)
    if fault is not None:
        return fault
    binding_id = bind_in_action(context, patient_id, cards, BindingOrigin.DESK, request.named("label") or "")
    if isinstance(binding_id, ApiError):
        return binding_id
    blocks = bool(request.payload.get("block"))
    if replaced is not None:
        _end_replaced(context, patient_id, replaced, blocks=blocks)
    end_desk_card(db, ask_id, Ended.BOUND, context.now_ms)
    rejudge_bound(context, cards)
    return BoundReadCard(binding_id, patient_id, replaced, blocks and replaced is not None)


def _fault(
    context: ActionContext, cards: tuple[CardHash, ...], patient_id: str, replaced: str | None, *, short_uid: bool
) -> ApiError | None:
    """Why nothing is done, found before anything is written."""
    db = context.db
    if short_uid and context.site.site.refuse_short_uids:
        return _UNUSABLE
    if block_of_card(db, cards) is not None:
        return CARD_BLOCKED
    holder = binding_of_card(db, cards)
    if (holder.patient_id if holder else None) != context.request.named("seen_holder"):
        return _CHANGED
    if replaced is None:
        return None
    record = read_binding(db, replaced)
    if record is None or record.patient_id != patient_id:
        return _NO_BINDING
    former = context.centre.keys.stored(hashes_of_binding(db, replaced))
    if set(former) & set(cards):
        return _SAME_CARD
    if record.end_ms is not None and not (context.request.payload.get("block") and not record.blocked):
        return ApiError("not_allowed", "The binding that is to be replaced has ended already.")
    return None


def _end_replaced(context: ActionContext, patient_id: PatientId, binding_id: str, *, blocks: bool) -> None:
    db, now_ms, who = context.db, context.now_ms, context.requester.who
    reason = context.request.named("reason") or ""
    former = context.centre.keys.stored(hashes_of_binding(db, binding_id))
    end_binding(db, binding_id, now_ms, who, reason)
    kind, detail = AuditKind.END_BINDING, {"binding_id": binding_id}
    if blocks and block_of_card(db, former) is None:
        block_id = context.centre.ids()
        begin_block(db, block_id, former, who, reason, now_ms)
        kind, detail = AuditKind.BLOCK_CARD, {"block_id": block_id, "binding_id": binding_id}
    mark_changed(db, patient_id)
    action_id = context.request.action_id
    note(db, who, kind, now_ms, patient_id=patient_id, action_id=action_id, detail=detail)
