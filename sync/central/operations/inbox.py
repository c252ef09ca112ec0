"""What a command at this machine can have done with the exception inbox, by the running service or on the file."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.services.errors import ApiError
from sync.central.services.inbox import ExceptionInbox
from sync.central.services.inbox_views import MAX_ROWS
from sync.central.services.journey_service import JourneyService
from sync.central.services.requests import read_action_request
from sync.central.web.inbox_api import settlement
from sync.control import ControlError, Operation

WHO = "command line"


def desk_operations(service: JourneyService) -> dict[str, Operation]:
    """The operations on cases, by name."""
    desk = ExceptionInbox(service)
    return {
        "exceptions": lambda given: _cases(desk, given),
        "exception": lambda given: _case(desk, str(given["exception_id"])),
        "settle": lambda given: _settle(service, desk, given),
    }


def _cases(desk: ExceptionInbox, given: Mapping[str, Any]) -> Any:
    after = given.get("after")
    found = desk.cases(None if after is None else str(after), int(given.get("limit") or MAX_ROWS))
    if isinstance(found, ApiError):
        raise ControlError(found.message)
    return {"exceptions": found.cases, "more": found.more}


def _case(desk: ExceptionInbox, exception_id: str) -> Any:
    found = desk.case(exception_id)
    if found is None:
        raise ControlError(f"there is no case {exception_id[:64]}")
    return msgspec.to_builtins(found)


def _settle(service: JourneyService, desk: ExceptionInbox, given: Mapping[str, Any]) -> Any:
    payload = settlement(given.get("how"), given.get("reason") or "", given.get("patient_id"))
    if isinstance(payload, ApiError):
        raise ControlError(payload.message)
    made = {"action_id": given.get("action_id"), "action_type": "settle", "payload": payload}
    ask = read_action_request(made, service.keys, service.ids)
    if isinstance(ask, ApiError):
        raise ControlError(ask.message)
    answer = desk.settle(str(given["exception_id"]), ask, WHO)
    body = msgspec.json.decode(answer.body)
    if not answer.done:
        raise ControlError(str(body["error"]))
    return body
