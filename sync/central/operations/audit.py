"""The access log, for an operator: its rows, the state of its chain, a verification, and the chain for an auditor."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from sync.central.centre import Centre
from sync.central.maintenance.log_verifying import in_words, log_keys, next_portion
from sync.central.operations import TellingOperation
from sync.central.records.log_verification import BEGIN, ChainPlace, Heads
from sync.central.services.errors import ApiError
from sync.central.services.lists import MAX_ROWS
from sync.central.services.read_log import LogQuery, chain_part, find_log, log_state
from sync.central.services.told import AboutNobody, Telling
from sync.control import ControlError

T = TypeVar("T")


def audit_operations(centre: Centre) -> dict[str, TellingOperation]:
    """The operations on the audit, by name."""
    return {
        "access-log": lambda arguments: _find(centre, arguments),
        "access-log-head": lambda _: log_state(centre),
        "access-log-verify": lambda arguments: _verify(centre, arguments),
        "access-log-chain": lambda arguments: chain_part(centre, int(arguments.get("after") or 0)),
    }


def _find(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    """The newest rows that fit, oldest first, as `LogPage` says."""
    given = {name: value for name, value in arguments.items() if value is not None}
    limit = min(max(int(arguments.get("limit") or MAX_ROWS), 1), MAX_ROWS)
    found = find_log(centre, _read(given | {"limit": limit}, LogQuery))
    if isinstance(found, ApiError):
        raise ControlError(found.message)
    return found


def _verify(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    """Verifies the next blocks: {place, faults, ended, words}. `heads` are digests that were noted elsewhere."""
    place = _read(arguments.get("place"), ChainPlace) if arguments.get("place") else BEGIN
    heads = _read({"digests": arguments.get("heads") or {}}, Heads)
    try:
        keys = log_keys(centre)
    except (OSError, ValueError) as error:
        raise ControlError(str(error)) from error
    portion = next_portion(centre, keys, place, heads)
    return AboutNobody({**msgspec.to_builtins(portion), "words": [in_words(fault) for fault in portion.faults]})


def _read(given: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ControlError(str(error)) from error
