"""The exception inbox, for an operator: list its cases, show one, settle one, discard all of a kiosk."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.operations import TellingOperation
from sync.central.operations.desk import desk_request, told_by
from sync.central.records.effects import Period
from sync.central.services.discard_cases import Discarding, begin_discarding, discard_portion
from sync.central.services.errors import ApiError
from sync.central.services.inbox import list_cases, settle, show_case
from sync.central.services.lists import MAX_ROWS, Page
from sync.central.services.requester import Requester
from sync.central.services.settlement import read_settlement
from sync.central.services.told import AboutNobody, Telling
from sync.control import ControlError


def inbox_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on cases, by name."""
    return {
        "exceptions": lambda arguments: _cases(centre, arguments),
        "exception": lambda arguments: _case(centre, str(arguments["exception_id"])),
        "settle": lambda arguments: _settle(centre, operator, arguments),
        "kiosk-cases": lambda arguments: _begin_discarding(centre, arguments),
        "kiosk-cases-discard": lambda arguments: _discard(centre, operator, arguments),
    }


def _cases(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    after = arguments.get("after")
    page = Page(after=None if after is None else str(after), limit=int(arguments.get("limit") or MAX_ROWS))
    found = list_cases(centre, page)
    if isinstance(found, ApiError):
        raise ControlError(found.message)
    return found


def _case(centre: Centre, exception_id: str) -> Telling:
    found = show_case(centre, exception_id)
    if isinstance(found, ApiError):
        raise ControlError(f"there is no case {exception_id[:64]}")
    return found


def _settle(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    payload = read_settlement(
        arguments.get("how"), arguments.get("reason") or "", arguments.get("patient_id"), arguments.get("bind", False)
    )
    request = desk_request(centre, "settle", payload, arguments.get("action_id"))
    return told_by(settle(centre, operator, str(arguments["exception_id"]), request))


def _begin_discarding(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    found = begin_discarding(centre, str(arguments["kiosk_id"]), str(arguments["reason"]))
    if isinstance(found, ApiError):
        raise ControlError(found.message)
    return AboutNobody(found)


def _discard(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    period = msgspec.convert(arguments["period"], Period)
    with_reports = bool(arguments.get("with_reports"))
    discarding = Discarding(centre, operator, period, str(arguments["reason"]), with_reports)
    return AboutNobody(discard_portion(discarding, str(arguments["after"]), trial=bool(arguments.get("trial"))))
