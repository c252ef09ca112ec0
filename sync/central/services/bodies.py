"""The bodies of requests as types. Their readers and the document of the interface use the same types."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, get_args

import msgspec
from msgspec import Meta

from sync.central.services.errors import ApiError
from sync.central.services.requests import INVALID_ACTION_ID, MAX_ID, MAX_LABEL, MAX_REASON
from sync.ids import UUID_PATTERN

T = TypeVar("T", bound=msgspec.Struct)
_PRINTABLE = "printable"  # the name in a type's extra
_ONLY_PRINTABLE = {_PRINTABLE: True}

Name = Annotated[
    str, Meta(min_length=1, max_length=MAX_ID, description="An id or a name: printable text.", extra=_ONLY_PRINTABLE)
]
Label = Annotated[
    str, Meta(max_length=MAX_LABEL, description="What staff call a card: printable text.", extra=_ONLY_PRINTABLE)
]
Reason = Annotated[str, Meta(max_length=MAX_REASON)]
GivenReason = Annotated[str, Meta(min_length=1, max_length=MAX_REASON, pattern=r"\S")]
Tag = Annotated[str, Meta(description="The canonical id of a card, such as felica:0101010601B00ADE.")]
ActionId = Annotated[str, Meta(pattern=f"^{UUID_PATTERN}$", description="A UUID that the client makes at the press.")]


class ActionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A request to act. One without an `action_id` cannot be repeated safely."""

    action_id: ActionId | None = None


class ActionPayload(msgspec.Struct, frozen=True, kw_only=True):
    """The patient, the entry and the room that an action names. Further members are kept with the action.

    `seen_state` is the state of the entry on the screen of staff: where it has another one now, nothing is done.
    `tag_id` is a card as it was read. The centre replaces it by its keyed hash, at any depth of the payload.
    """

    patient_id: Name | None = None
    queue_id: Name | None = None
    exam_id: Name | None = None
    room: Name | None = None
    seen_state: Name | None = None
    tag_id: Tag | None = None


class PerformAction(ActionBody, frozen=True, kw_only=True):
    """A patient's or a staff member's action. `read_action_request()` reads it."""

    action_type: Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
    payload: ActionPayload | None = None


class Body(msgspec.Struct, frozen=True):
    """The body of a request: its type, and its reader, which returns a value or an ApiError."""

    kind: type[msgspec.Struct]
    read: Callable[[dict[str, Any]], object]


def members(kind: type[msgspec.Struct]) -> Body:
    """The body of an action whose members are its payload. A member that is null counts as left out."""

    def read(document: dict[str, Any]) -> dict[str, Any] | ApiError:
        found = read_members(kind, {name: value for name, value in document.items() if value is not None}, {})
        if isinstance(found, ApiError):
            return found
        values = msgspec.to_builtins(found)
        return {name: value for name, value in values.items() if value is not None and name != "action_id"}

    return Body(kind, read)


def read_members(
    kind: type[T], document: Mapping[str, Any], words: Mapping[str, ApiError], *, strict: bool = True
) -> T | ApiError:
    """The members of a JSON object as a struct, or the error of the first one that is wrong.

    `words` has the errors of members. A member without one gets msgspec's words. Where the reading is not `strict`, a
    text may stand for a number.
    """
    found: dict[str, object] = {}
    for field in _fields(kind):
        if field.name not in document and not field.required:
            continue
        try:
            value = found[field.name] = msgspec.convert(document.get(field.encode_name), field.type, strict=strict)
        except msgspec.ValidationError as error:
            return words.get(field.name) or _OWN_WORDS.get(field.name) or _wrong(field.name, error)
        if _is_printable_only(field.type) and not str(value).isprintable():
            return words.get(field.name) or ApiError("malformed", f"{field.name} must be printable text.")
    return kind(**found)


_fields = cache(msgspec.structs.fields)
_OWN_WORDS = {"action_id": INVALID_ACTION_ID}


def _wrong(name: str, error: msgspec.ValidationError) -> ApiError:
    return ApiError("malformed", f"{name}: {error}.")


def _is_printable_only(kind: object) -> bool:
    return any(isinstance(each, Meta) and (each.extra or {}).get(_PRINTABLE) for each in get_args(kind)[1:])
