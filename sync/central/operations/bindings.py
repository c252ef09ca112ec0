"""A patient's cards, for an operator: list the bindings, end one, block and unblock a card."""

from collections.abc import Callable, Mapping
from typing import Any

from sync.central.centre import Centre
from sync.central.operations import TellingOperation
from sync.central.operations.desk import desk_request, told_by
from sync.central.services.answers import Answer
from sync.central.services.bindings import list_bindings, read_ending
from sync.central.services.block_card import BLOCK, UNBLOCK, block_binding, unblock_binding
from sync.central.services.end_binding import ENDING, end_binding
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError
from sync.central.services.lists import Page
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.told import Telling
from sync.control import ControlError

_Act = Callable[[Centre, Requester, str, str, ActionRequest], Answer]


def binding_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on bindings, by name."""
    return {
        "bindings": lambda arguments: _list(centre, arguments),
        "binding-end": lambda arguments: _act(centre, operator, arguments, ENDING, end_binding),
        "binding-block": lambda arguments: _act(centre, operator, arguments, BLOCK, block_binding),
        "binding-unblock": lambda arguments: _act(centre, operator, arguments, UNBLOCK, unblock_binding),
    }


def _list(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    after, patient_id = arguments.get("after"), str(arguments["patient_id"])
    found = list_bindings(centre, patient_id, Page(after=None if after is None else str(after)))
    if found == UNKNOWN_PATIENT:
        raise ControlError(f"there is no patient {patient_id[:64]}")
    if isinstance(found, ApiError):
        raise ControlError(found.message)
    return found


def _act(centre: Centre, operator: Requester, arguments: Mapping[str, Any], action_type: str, act: _Act) -> Telling:
    payload = read_ending({"reason": arguments.get("reason") or ""})
    request = desk_request(centre, action_type, payload, arguments.get("action_id"))
    return told_by(act(centre, operator, str(arguments["patient_id"]), str(arguments["binding_id"]), request))
