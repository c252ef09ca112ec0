"""An operator's action as an action of staff: the request of a command, and the answer to it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.operations import WHO
from sync.central.services.answers import Answer
from sync.central.services.errors import ApiError
from sync.central.services.once import Requester
from sync.central.services.requests import ActionRequest, read_action_request
from sync.control import ControlError
from sync.journey.model import STAFF

OPERATOR = Requester(STAFF, WHO, "desk")


def desk_request(
    centre: Centre, action_type: str, payload: Mapping[str, Any] | ApiError, action_id: object = None
) -> ActionRequest:
    """The request of a command. Raises ControlError where the payload or the action id cannot be used."""
    if isinstance(payload, ApiError):
        raise ControlError(payload.message)
    made = {"action_id": action_id, "action_type": action_type, "payload": dict(payload)}
    request = read_action_request(made, centre.keys, centre.ids)
    if isinstance(request, ApiError):
        raise ControlError(request.message)
    return request


def result_of(answer: Answer) -> Any:
    """The value of an answer. Raises ControlError where the request was refused."""
    body = msgspec.json.decode(answer.body)
    if not answer.done:
        raise ControlError(str(body["error"]))
    return body
