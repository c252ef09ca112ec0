"""An operator as a member of staff: who it is, the request of a command, and the answer to it."""

import pwd
from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.services.answers import Answer
from sync.central.services.errors import ApiError
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.services.told import Told
from sync.control import ControlError
from sync.journey.model import STAFF

_WHO = "command line"
OPERATOR = Requester(STAFF, _WHO, "desk")


def operator_named(user: str) -> Requester:
    """The operator who is this user of the machine, such as "command line:root" in history and audit."""
    return Requester(STAFF, f"{_WHO}:{user}", "desk")


def user_name(uid: int) -> str:
    """The name of a user of this machine."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run under a number without a name
        return str(uid)


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


def told_by(answer: Answer) -> Told:
    """What an answer tells. Raises ControlError where the request was refused."""
    body = msgspec.json.decode(answer.body)
    if not answer.done:
        raise ControlError(str(body["error"]))
    return answer.told.within(lambda _: body)
