"""What the values of an old row mean: ids, times, metadata, names of states. A fault is a value of its own."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from sync.central.legacy.reasons import Reason
from sync.ids import is_provisional_id
from sync.text import clean

_LONGEST_ID = 128
_LARGEST_METADATA = 64 * 1024
_UNSEEN = str.maketrans({"\0": "\N{REPLACEMENT CHARACTER}"})  # PostgreSQL has no such character


def text_of(value: Any) -> str:
    """A value as a text of at most 128 characters, for the history; "" for no value."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="replace").translate(_UNSEEN)[:_LONGEST_ID]
    return str(value).translate(_UNSEEN)[:_LONGEST_ID]


def id_of(value: Any) -> str | Reason:
    """An id of the old system as text."""
    if not isinstance(value, str | int):
        return Reason.UNUSABLE_ID
    try:
        found = clean(str(value))
    except ValueError:
        return Reason.UNUSABLE_ID
    return found if found and len(found) <= _LONGEST_ID and not is_provisional_id(found) else Reason.UNUSABLE_ID


def moment_of(value: Any, zone: str) -> datetime | Reason:
    """A time in ISO 8601. Without an offset it is one of the zone (IANA name)."""
    if not isinstance(value, str):
        return Reason.UNREADABLE_TIME
    try:
        found = datetime.fromisoformat(value.strip())
        local = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))
        local.timestamp()  # the year 1 has none in every zone
    except (ValueError, OverflowError):
        return Reason.UNREADABLE_TIME
    return local


def happened_ms(value: Any, zone: str, now_ms: int) -> tuple[int, Reason | None]:
    """When something happened (UTC ms): not later than now, and now where no time can be read."""
    moment = moment_of(value, zone)
    if isinstance(moment, Reason):
        return now_ms, Reason.NO_TIME
    at_ms = int(moment.timestamp() * 1000)
    return (now_ms, Reason.FUTURE) if at_ms > now_ms else (max(at_ms, 0), None)


def metadata_of(value: Any) -> tuple[dict[str, Any], Reason | None]:
    """The metadata of a row of the history."""
    if value in (None, ""):
        return {}, None
    if not isinstance(value, str) or len(value) > _LARGEST_METADATA:
        return {}, Reason.METADATA
    try:
        return msgspec.json.decode(value, type=dict[str, Any]), None
    except (msgspec.DecodeError, RecursionError):
        return {}, Reason.METADATA


def state_of(value: Any, names: dict[str, str], known: Collection[str]) -> tuple[str | None, Reason | None]:
    """The state here of an old one. `names` are the old names that differ. None for an unknown one."""
    if not isinstance(value, str):
        return None, Reason.UNKNOWN_STATE
    bare = value.strip()
    for spelling in (value, bare, bare.lower(), bare.upper()):
        if (found := names.get(spelling, spelling)) in known:
            return found, None if spelling == value else Reason.SPELLING
    return None, Reason.UNKNOWN_STATE
