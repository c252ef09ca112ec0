"""A word of the hospital's other system as a body of a request."""

import tomllib
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sync.central.services.bodies import ActionId, Label, Name, read_members
from sync.central.services.errors import ApiError
from sync.central.services.requests import INVALID_ACTION_ID, ActionRequest
from sync.clock import local_ms

MOST_ENTRIES = 50
_LATEST_MS = 2**53
_NO_TIME = ApiError("malformed", "at must be a time: ISO 8601, or UTC milliseconds.")
_NOT_NAMED = ApiError("malformed", "An entry must have a queue_id or an exam_id.")

Moment = Annotated[int | str, Meta(description="ISO 8601, local time of the site without an offset; or UTC ms.")]


class EntryTold(msgspec.Struct, frozen=True, kw_only=True):
    """A queue entry after the action: its id or its exam, its state, and its number where it has one."""

    queue_id: Name | None = None
    exam_id: Name | None = None
    state: Name
    queue_number: Label = ""


class WordTold(msgspec.Struct, frozen=True, kw_only=True):
    """What the other system did: the action, the journey's state before and after it, and the entries after it.

    `entries` are all of the patient's today. `word_id` is made with the action. A repeat of it is the same word.
    `refused`: that system refused the action.
    """

    word_id: ActionId
    patient_id: Name
    action_type: Name
    from_state: Name = msgspec.field(name="from")
    to_state: Name = msgspec.field(name="to")
    entries: Annotated[tuple[EntryTold, ...], Meta(max_length=MOST_ENTRIES)] = ()
    at: Moment
    refused: bool = False


def read_word(document: Mapping[str, Any]) -> ActionRequest | ApiError:
    """A word as a request to act, whose id is the word's; or the error."""
    found = read_members(WordTold, document, {"word_id": INVALID_ACTION_ID})
    if isinstance(found, ApiError):
        return found
    if any(entry.queue_id is None and entry.exam_id is None for entry in found.entries):
        return _NOT_NAMED
    texts = (
        each for entry in found.entries for each in (entry.queue_id, entry.exam_id, entry.state, entry.queue_number)
    )
    named = [entry.queue_id for entry in found.entries if entry.queue_id is not None]
    if len(set(named)) < len(named):
        return ApiError("malformed", "An entry is named twice.")
    if not all(each is None or each.isprintable() for each in texts):
        return ApiError("malformed", "The members of an entry must be printable text.")
    return ActionRequest(found.action_type, found.word_id.lower(), msgspec.to_builtins(found))


def told_in(request: ActionRequest) -> WordTold:
    """The word in a request that `read_word()` has made."""
    return msgspec.convert(request.payload, WordTold)


def moment_of(at: int | str, timezone: str) -> int | ApiError:
    """The time of a word (UTC ms), or the error."""
    try:
        at_ms = at if isinstance(at, int) else _instant(at, timezone)
    except (ValueError, OverflowError):
        return _NO_TIME
    return at_ms if 0 <= at_ms < _LATEST_MS else _NO_TIME


def state_named(states: Collection[str], text: str) -> str | None:
    """The state that a system means by a text, in any letters and in older spellings; None for no state."""
    folded = text.lower()
    meant = _old_spellings().get(folded, folded)
    return next((state for state in states if state.lower() == meant), None)


def _instant(text: str, timezone: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return int(moment.timestamp() * 1000)
    whole_minute_ms = local_ms(moment.date().isoformat(), f"{moment:%H:%M}", timezone)
    return whole_minute_ms + moment.second * 1000 + moment.microsecond // 1000


@cache
def _old_spellings() -> Mapping[str, str]:
    found: dict[str, str] = tomllib.loads(files(__package__).joinpath("old_spellings.toml").read_text("utf-8"))
    return found
