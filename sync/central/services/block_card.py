"""Blocks a card that was reported lost, and unblocks it. A blocked card opens nobody, and cannot be bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from sync.cards import CardHash
from sync.central.centre import Centre
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import CardBinding, binding_of_card, end_binding, hashes_of_binding
from sync.central.records.card_blocks import begin_block, block_of_card, end_block
from sync.central.records.journeys import mark_changed
from sync.central.services.answers import Answer
from sync.central.services.bindings import ChangedBinding, binding_subject
from sync.central.services.errors import CARD_OF_ANOTHER, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest

BLOCK, UNBLOCK = "block_card", "unblock_card"  # the action types
_BLOCKED_ALREADY = ApiError("card_blocked", "The card is blocked already.")
_NOT_BLOCKED = ApiError("not_allowed", "The card is not blocked.")


class BlockedCard(msgspec.Struct, frozen=True):
    """Whether a card is blocked now, and the binding that ended by it with its patient; null where there was none."""

    blocked: bool
    binding_id: str | None
    patient_id: str | None


@dataclass(frozen=True, slots=True)
class _Done:
    """A block that began or ended, and the binding that ended by it."""

    block_id: str
    ended: CardBinding | None = None


_Do = Callable[[ActionContext, Sequence[CardHash]], _Done | ApiError]


def block_binding(
    centre: Centre, requester: Requester, patient_id: str, binding_id: str, request: ActionRequest
) -> Answer:
    """Ends a patient's binding and blocks its card, for the `reason` of the payload.

    Answers with a ChangedBinding. The card of an ended binding is blocked too, but not where it is
    another patient's now.
    """
    return _on_binding(centre, requester, patient_id, binding_id, request, _block)


def unblock_binding(
    centre: Centre, requester: Requester, patient_id: str, binding_id: str, request: ActionRequest
) -> Answer:
    """Unblocks the card of a binding. The binding stays ended, and staff may bind the card again.

    Answers with a ChangedBinding.
    """
    return _on_binding(centre, requester, patient_id, binding_id, request, _unblock)


def block_card(centre: Centre, requester: Requester, request: ActionRequest) -> Answer:
    """Blocks the card of the request, which may be bound to nobody. Answers with a BlockedCard."""
    return _on_card(centre, requester, request, _block, blocked=True)


def unblock_card(centre: Centre, requester: Requester, request: ActionRequest) -> Answer:
    """Unblocks the card of the request. Answers as `block_card` does."""
    return _on_card(centre, requester, request, _unblock, blocked=False)


def _on_binding(
    centre: Centre, requester: Requester, patient_id: str, binding_id: str, request: ActionRequest, do: _Do
) -> Answer:
    def act(context: ActionContext, subject: Subject) -> ChangedBinding | ApiError:
        cards = context.centre.keys.stored(hashes_of_binding(context.db, binding_id))
        holder = binding_of_card(context.db, cards)
        if holder is not None and holder.patient_id != subject.patient_id:
            return CARD_OF_ANOTHER
        done = do(context, cards)
        if isinstance(done, ApiError):
            return done
        _note(context, done, subject.patient_id, binding_id)
        assert subject.patient_id is not None
        return ChangedBinding(
            binding_id, subject.patient_id, "blocked" if block_of_card(context.db, cards) else "ended"
        )

    return once(centre, requester, request, binding_subject(patient_id, binding_id), act)


def _on_card(centre: Centre, requester: Requester, request: ActionRequest, do: _Do, *, blocked: bool) -> Answer:
    def act(context: ActionContext, _: Subject) -> BlockedCard | ApiError:
        done = do(context, context.cards)
        if isinstance(done, ApiError):
            return done
        patient_id, binding_id = (done.ended.patient_id, done.ended.binding_id) if done.ended else (None, None)
        _note(context, done, patient_id, binding_id)
        return BlockedCard(blocked, binding_id, patient_id)

    return once(centre, requester, request, lambda _: Subject("card"), act, lambda done: [done["patient_id"]])


def _block(context: ActionContext, cards: Sequence[CardHash]) -> _Done | ApiError:
    db, now_ms, who = context.db, context.now_ms, context.requester.who
    if block_of_card(db, cards) is not None:
        return _BLOCKED_ALREADY
    holder, reason, block_id = binding_of_card(db, cards), context.request.named("reason") or "", context.centre.ids()
    under_every_key = [*cards]
    if holder is not None:
        under_every_key += context.centre.keys.stored(hashes_of_binding(db, holder.binding_id))
        end_binding(db, holder.binding_id, now_ms, who, reason)
        mark_changed(db, holder.patient_id)
    begin_block(db, block_id, under_every_key, who, reason, now_ms)
    return _Done(block_id, holder)


def _unblock(context: ActionContext, cards: Sequence[CardHash]) -> _Done | ApiError:
    block_id = block_of_card(context.db, cards)
    if block_id is None:
        return _NOT_BLOCKED
    reason = context.request.named("reason") or ""
    end_block(context.db, block_id, context.requester.who, reason, context.now_ms)
    return _Done(block_id)


def _note(context: ActionContext, done: _Done, patient_id: str | None, binding_id: str | None) -> None:
    request, detail = context.request, {"block_id": done.block_id, "binding_id": binding_id}
    note(
        context.db,
        context.requester.who,
        AuditKind(request.action_type),
        context.now_ms,
        patient_id=patient_id,
        action_id=request.action_id,
        detail=detail,
    )
