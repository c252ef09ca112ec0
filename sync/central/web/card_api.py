"""Requests of staff about cards over REST: bind one, list a patient's, end a binding, block a card and unblock it."""

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Blueprint, Response

from sync.cards import holds_card
from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bind_card import BINDING, bind_card
from sync.central.services.bindings import list_bindings, read_ending
from sync.central.services.block_card import BLOCK, UNBLOCK, block_binding, block_card, unblock_binding, unblock_card
from sync.central.services.end_binding import ENDING, end_binding
from sync.central.services.errors import ApiError
from sync.central.services.requester import Requester
from sync.central.services.requests import MAX_LABEL, ActionRequest, is_label, is_name, read_tag, read_usable_card
from sync.central.services.told import Told
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import Role

CREATED = 201
_CARD_IN_TEXT = ApiError("malformed", "label and reason must not hold the card's own number.")


def card_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes about cards under /api/v1/, which a staff token opens."""
    api = Blueprint("cards", __name__, url_prefix="/api/v1")

    @api.post("/bindings/")
    @endpoints.endpoint(Role.STAFF, body=endpoints.action(BINDING, _binding))
    def bind(sender: Bearer, wanted: ActionRequest) -> Answer:
        answer = bind_card(centre, _at_the_desk(sender), str(wanted.named("patient_id")), wanted)
        return msgspec.structs.replace(answer, status=CREATED) if answer.done else answer

    @api.get("/patients/<patient_id>/bindings/")
    @endpoints.endpoint(Role.STAFF)
    def bindings(_: Bearer, patient_id: str) -> Told | ApiError:
        return list_bindings(centre, patient_id)

    for word, action_type, on_binding in _ON_BINDING:
        path = f"/patients/<patient_id>/bindings/<binding_id>/{word}/"
        api.add_url_rule(path, word, _on_binding(centre, endpoints, action_type, on_binding), methods=["POST"])
    for word, action_type, on_card in _ON_CARD:
        path = f"/cards/{word}/"
        api.add_url_rule(path, f"{word}_card", _on_card(centre, endpoints, action_type, on_card), methods=["POST"])
    return api


_ON_BINDING = (("end", ENDING, end_binding), ("block", BLOCK, block_binding), ("unblock", UNBLOCK, unblock_binding))
_ON_CARD = (("block", BLOCK, block_card), ("unblock", UNBLOCK, unblock_card))


def _on_binding(
    centre: Centre,
    endpoints: Endpoints,
    action_type: str,
    act: Callable[[Centre, Requester, str, str, ActionRequest], Answer],
) -> Callable[..., Response]:
    """The view of an action on a patient's binding."""

    @endpoints.endpoint(Role.STAFF, body=endpoints.action(action_type, read_ending))
    def view(sender: Bearer, wanted: ActionRequest, patient_id: str, binding_id: str) -> Answer:
        return act(centre, _at_the_desk(sender), patient_id, binding_id, wanted)

    return view


def _on_card(
    centre: Centre, endpoints: Endpoints, action_type: str, act: Callable[[Centre, Requester, ActionRequest], Answer]
) -> Callable[..., Response]:
    """The view of an action on a card that the body names."""

    # What was blocked by mistake can always be unblocked.
    read = _card_to_block if action_type == BLOCK else _card

    @endpoints.endpoint(Role.STAFF, body=endpoints.action(action_type, read))
    def view(sender: Bearer, wanted: ActionRequest) -> Answer:
        return act(centre, _at_the_desk(sender), wanted)

    return view


def _at_the_desk(sender: Bearer) -> Requester:
    return requester_of(sender, "desk")


def _binding(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    if not is_name(document.get("patient_id")):
        return ApiError("malformed", "The body must hold patient_id and tag_id.")
    tag_id, label = document.get("tag_id"), document.get("label", "")
    canonical = read_usable_card(tag_id, "malformed", "bound")
    if isinstance(canonical, ApiError):
        return canonical
    if not is_label(label):
        return ApiError("malformed", f"label must be a printable text of at most {MAX_LABEL} characters.")
    if _repeats_card(label, canonical):
        return _CARD_IN_TEXT
    labelled = {"label": label} if label else {}
    return {"patient_id": document["patient_id"], "tag_id": tag_id, **labelled}


def _card(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    tag_id, ending = document.get("tag_id"), read_ending(document)
    canonical = read_tag(tag_id, "malformed")
    if isinstance(canonical, ApiError):
        return canonical
    if isinstance(ending, ApiError):
        return ending
    return _CARD_IN_TEXT if _repeats_card(ending["reason"], canonical) else {"tag_id": tag_id, **ending}


def _card_to_block(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    canonical = read_usable_card(document.get("tag_id"), "malformed", "blocked")
    return canonical if isinstance(canonical, ApiError) else _card(document)


def _repeats_card(text: object, canonical: str) -> bool:
    """Whether a text that staff will read holds the card's own number, in any spelling."""
    return isinstance(text, str) and holds_card(text, canonical)
