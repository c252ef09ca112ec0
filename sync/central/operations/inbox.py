"""The exception inbox, for an operator: list its cases, show one, settle one."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.operations.desk import OPERATOR, desk_request, result_of
from sync.central.services.answers import MAX_ROWS
from sync.central.services.errors import ApiError
from sync.central.services.inbox import list_cases, settle, show_case
from sync.central.services.settlement import read_settlement
from sync.control import ControlError, Operation


def inbox_operations(centre: Centre) -> dict[str, Operation]:
    """The operations on cases, by name."""
    return {
        "exceptions": lambda arguments: _cases(centre, arguments),
        "exception": lambda arguments: _case(centre, str(arguments["exception_id"])),
        "settle": lambda arguments: _settle(centre, arguments),
    }


def _cases(centre: Centre, arguments: Mapping[str, Any]) -> dict[str, Any]:
    after = arguments.get("after")
    found = list_cases(centre, None if after is None else str(after), int(arguments.get("limit") or MAX_ROWS))
    if isinstance(found, ApiError):
        raise ControlError(found.message)
    return {"exceptions": found.cases, "more": found.more}


def _case(centre: Centre, exception_id: str) -> Any:
    found = show_case(centre, exception_id)
    if isinstance(found, ApiError):
        raise ControlError(f"there is no case {exception_id[:64]}")
    return msgspec.to_builtins(found)


def _settle(centre: Centre, arguments: Mapping[str, Any]) -> Any:
    payload = read_settlement(
        arguments.get("how"), arguments.get("reason") or "", arguments.get("patient_id"), arguments.get("bind", False)
    )
    request = desk_request(centre, "settle", payload, arguments.get("action_id"))
    return result_of(settle(centre, OPERATOR, str(arguments["exception_id"]), request))
