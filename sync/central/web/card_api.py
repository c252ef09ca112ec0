"""Requests of staff about cards over REST: bind one, list a patient's, end a binding, block a card and unblock it."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Response

from sync.cards import holds_card
from sync.central.centre import Centre
from sync.central.records.duties import Duty
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bind_card import BINDING, BoundCard, bind_card
from sync.central.services.bindings import ChangedBinding, Ending, PatientBindings, list_bindings, read_ending
from sync.central.services.block_card import (
    BLOCK,
    UNBLOCK,
    BlockedCard,
    block_binding,
    block_card,
    unblock_binding,
    unblock_card,
)
from sync.central.services.bodies import ActionBody, Body, Label, Name, Tag, read_members
from sync.central.services.end_binding import ENDING, end_binding
from sync.central.services.errors import ApiError
from sync.central.services.lists import Page
from sync.central.services.requester import Requester
from sync.central.services.requests import MAX_LABEL, NO_REASON, NO_TAG, ActionRequest, read_tag, read_usable_card
from sync.central.services.told import Told
from sync.central.web.contract import OF_AN_ACTION
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import Role

_CARD_IN_TEXT = ApiError("malformed", "label and reason must not hold the card's own number.")

_WORDS_OF_BINDING = {
    "patient_id": ApiError("malformed", "The body must hold patient_id and tag_id."),
    "tag_id": NO_TAG,
    "label": ApiError("malformed", f"label must be a printable text of at most {MAX_LABEL} characters."),
}


class BindCard(ActionBody, frozen=True, kw_only=True):
    """A card, the patient who gets it, and what staff call it."""

    patient_id: Name
    tag_id: Tag
    label: Label = ""


class NamedCard(Ending, frozen=True, kw_only=True):
    """A card that is blocked or unblocked, and why."""

    tag_id: Tag


def card_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes about cards under /api/v1/, which the duty of reception opens."""
    api = Blueprint("cards", __name__, url_prefix="/api/v1")

    @api.post("/bindings/")
    @endpoints.endpoint(
        "Bind a card to a patient",
        BoundCard,
        Role.STAFF,
        body=endpoints.action(BINDING, Body(BindCard, _binding)),
        status=HTTPStatus.CREATED,
        refuses=("unknown_patient", "unusable_card", "card_blocked", *OF_AN_ACTION),
        duty=Duty.RECEPTION,
    )
    def bind(sender: Bearer, wanted: ActionRequest) -> Answer:
        answer = bind_card(centre, _at_the_desk(sender), str(wanted.named("patient_id")), wanted)
        return msgspec.structs.replace(answer, status=HTTPStatus.CREATED) if answer.done else answer

    @api.get("/patients/<patient_id>/bindings/")
    @endpoints.endpoint(
        "List a patient's bindings",
        PatientBindings,
        Role.STAFF,
        query=Page,
        refuses=("unknown_patient", "not_found"),
        duty=Duty.RECEPTION,
    )
    def bindings(_: Bearer, page: Page, patient_id: str) -> Told | ApiError:
        return list_bindings(centre, patient_id, page)

    for on_binding in _ON_BINDING:
        path = f"/patients/<patient_id>/bindings/<binding_id>/{on_binding.word}/"
        api.add_url_rule(path, on_binding.word, _on_binding(centre, endpoints, on_binding), methods=["POST"])
    for on_card in _ON_CARD:
        path = f"/cards/{on_card.word}/"
        api.add_url_rule(path, f"{on_card.word}_card", _on_card(centre, endpoints, on_card), methods=["POST"])
    return api


@dataclass(frozen=True, slots=True)
class _OnBinding:
    """An action on a patient's binding: the word of its path, its type, what it is for, and what does it."""

    word: str
    action_type: str
    title: str
    refuses: tuple[str, ...]
    act: Callable[[Centre, Requester, str, str, ActionRequest], Answer]


@dataclass(frozen=True, slots=True)
class _OnCard:
    """As `_OnBinding`, for an action on a card that the body names."""

    word: str
    action_type: str
    title: str
    refuses: tuple[str, ...]
    read: Callable[[dict[str, Any]], dict[str, Any] | ApiError]
    act: Callable[[Centre, Requester, ActionRequest], Answer]


def _on_binding(centre: Centre, endpoints: Endpoints, on: _OnBinding) -> Callable[..., Response]:
    """The view of an action on a patient's binding."""

    @endpoints.endpoint(
        on.title,
        ChangedBinding,
        Role.STAFF,
        body=endpoints.action(on.action_type, Body(Ending, read_ending)),
        refuses=("unknown_patient", "not_found", *on.refuses, *OF_AN_ACTION),
        duty=Duty.RECEPTION,
    )
    def view(sender: Bearer, wanted: ActionRequest, patient_id: str, binding_id: str) -> Answer:
        return on.act(centre, _at_the_desk(sender), patient_id, binding_id, wanted)

    return view


def _on_card(centre: Centre, endpoints: Endpoints, on: _OnCard) -> Callable[..., Response]:
    """The view of an action on a card that the body names."""

    @endpoints.endpoint(
        on.title,
        BlockedCard,
        Role.STAFF,
        body=endpoints.action(on.action_type, Body(NamedCard, on.read)),
        refuses=(*on.refuses, *OF_AN_ACTION),
        duty=Duty.RECEPTION,
    )
    def view(sender: Bearer, wanted: ActionRequest) -> Answer:
        return on.act(centre, _at_the_desk(sender), wanted)

    return view


def _at_the_desk(sender: Bearer) -> Requester:
    return requester_of(sender, "desk")


def _binding(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    found = read_members(BindCard, document, _WORDS_OF_BINDING)
    if isinstance(found, ApiError):
        return found
    canonical = read_usable_card(found.tag_id, "malformed", "bound")
    if isinstance(canonical, ApiError):
        return canonical
    if holds_card(found.label, canonical):
        return _CARD_IN_TEXT
    labelled = {"label": found.label} if found.label else {}
    return {"patient_id": found.patient_id, "tag_id": found.tag_id, **labelled}


def _card(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    found = read_members(NamedCard, document, {"tag_id": NO_TAG, "reason": NO_REASON})
    if isinstance(found, ApiError):
        return found
    canonical = read_tag(found.tag_id, "malformed")
    if isinstance(canonical, ApiError):
        return canonical
    return _CARD_IN_TEXT if holds_card(found.reason, canonical) else {"tag_id": found.tag_id, "reason": found.reason}


def _card_to_block(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    canonical = read_usable_card(document.get("tag_id"), "malformed", "blocked")
    return canonical if isinstance(canonical, ApiError) else _card(document)


_ON_BINDING = (
    _OnBinding("end", ENDING, "End a binding", ("not_allowed",), end_binding),
    _OnBinding("block", BLOCK, "End a binding and block its card", ("card_of_another", "card_blocked"), block_binding),
    _OnBinding(
        "unblock", UNBLOCK, "Unblock the card of a binding", ("card_of_another", "not_allowed"), unblock_binding
    ),
)
_ON_CARD = (
    _OnCard("block", BLOCK, "Block a card", ("unusable_card", "card_blocked"), _card_to_block, block_card),
    # What was blocked by mistake can always be unblocked.
    _OnCard("unblock", UNBLOCK, "Unblock a card", ("not_allowed",), _card, unblock_card),
)
