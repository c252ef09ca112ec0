"""What a kiosk did, for an operator: list it, take it back. Each call is short, and the command repeats it.

The first call reads the period that the operator wrote; the further ones get it as the first one answered it.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from sync.central.centre import Centre
from sync.central.operations import TellingOperation
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.effects import Period
from sync.central.services.errors import ApiError
from sync.central.services.kiosk_acts import ActsQuery, kiosk_acts
from sync.central.services.requester import Requester
from sync.central.services.take_back import Undoing
from sync.central.services.told import AboutNobody, Telling, told_of
from sync.central.services.undo_kiosk import UndoOrder, begin_undo, undo_portion
from sync.control import ControlError

T = TypeVar("T")


def undo_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on the acts of a kiosk, by name."""
    return {
        "kiosk-acts": lambda arguments: _acts(centre, arguments),
        "kiosk-undo": lambda arguments: _begin(centre, operator, arguments),
        "kiosk-undo-portion": lambda arguments: _take_back(centre, operator, arguments),
    }


def _acts(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    given = {name: value for name, value in arguments.items() if value is not None}
    return _found(kiosk_acts(centre, msgspec.convert(given, ActsQuery)))


def _begin(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    order = msgspec.convert(arguments["order"], UndoOrder)
    return AboutNobody(_found(begin_undo(centre, operator, order, trial=bool(arguments.get("trial")))))


def _take_back(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    """Takes back the acts on some patients. The place to go on after names the last of them."""
    period = msgspec.convert(arguments["period"], Period)
    undoing = Undoing(centre, operator, period, str(arguments["reason"]))
    found = undo_portion(undoing, str(arguments["after"]), trial=bool(arguments.get("trial")))
    return AboutNobody(found) if found.after is None else told_of(found, AuditKind.LOOK_ACTS, [found.after])


def _found(value: T | ApiError) -> T:
    if isinstance(value, ApiError):
        raise ControlError(value.message)
    return value
