"""Reads the body of a pushed action: an intent that can be judged, or the reason why it is none."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from sync.ids import is_uuid
from sync.protocol import Intent, canonical

MAX_TEXT = 128  # characters of an id, a queue number, a state
MAX_DEPTH = 32  # nested lists and objects
_PLACE = frozenset({"kiosk_id", "epoch", "seq"})  # an action may move in a chain, and is still the same action
_CARD_AS_READ = "tag_id"
_MOMENTS = range(-(2**53), 2**53)  # range of a clock reading, in milliseconds


@dataclass(frozen=True, slots=True)
class Body:
    """A body as JSON values, and in canonical JSON."""

    value: Any
    canonical: bytes

    @property
    def document(self) -> dict[str, Any] | None:
        """The members of a JSON object; None for another value."""
        return self.value if isinstance(self.value, dict) else None


@dataclass(frozen=True, slots=True)
class UnreadableIntent:
    """A body that cannot be judged as an action. The reason quotes no part of the body."""

    reason: str


def read_body(raw: bytes) -> Body | None:
    """A body as JSON; None where it is broken, has numbers out of range, or is nested too deep."""
    try:
        value = msgspec.json.decode(raw)
        return Body(value, canonical(value)) if _is_shallow(value) else None
    except (ValueError, RecursionError):
        return None


def read_intent(document: dict[str, Any] | None) -> Intent | UnreadableIntent:
    """The intent in a body. The text of a card, which does not belong there, is dropped."""
    if document is None:
        return UnreadableIntent("not an object")
    try:
        intent = msgspec.convert(document, Intent)
    except (msgspec.ValidationError, RecursionError):
        return UnreadableIntent("not an intent")
    for reason, sound in _checks(intent):
        if not sound:
            return UnreadableIntent(reason)
    if _CARD_AS_READ in intent.payload:
        payload = {key: value for key, value in intent.payload.items() if key != _CARD_AS_READ}
        return msgspec.structs.replace(intent, payload=payload)
    return intent


class ClaimedIdentity(msgspec.Struct, frozen=True):
    """The id and the seq that a body names, in any form."""

    action_id: Any = None
    seq: Any = None

    @property
    def id(self) -> str:
        """The action id; empty where it is no text."""
        return self.action_id if isinstance(self.action_id, str) else ""

    @property
    def place(self) -> int | None:
        """The seq; None where it is no whole number."""
        return self.seq if isinstance(self.seq, int) and not isinstance(self.seq, bool) else None


def claimed_identity(raw: bytes) -> ClaimedIdentity:
    """The id and the seq in a body, even in one that is no action. They name a quarantined action to the kiosk."""
    try:
        return msgspec.json.decode(raw, type=ClaimedIdentity)
    except (ValueError, RecursionError):
        return ClaimedIdentity()


def content_hash(document: dict[str, Any]) -> str:
    """SHA-256 (hex) over the content of an action, without its place in a chain.

    Empty members count as absent: an action that a newer kiosk encodes again, with more fields, stays the same action.
    """
    content = {key: value for key, value in document.items() if key not in _PLACE and value not in _EMPTY}
    return hashlib.sha256(canonical(content)).hexdigest()


def _is_shallow(value: Any) -> bool:
    """Whether a value's nesting is so small that the value can be read and written at any depth of the call stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return True
    return False


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


_EMPTY: tuple[object, ...] = (None, "", 0, [], {})


def _checks(intent: Intent) -> list[tuple[str, bool]]:
    ids = (intent.action_id, intent.visit_id, intent.queue_id)
    names = (intent.action_type, intent.patient_id, intent.queue_number, intent.exam_id)
    texts = (*names, intent.journey_state, intent.binding_id or "")
    card = (intent.card.key_id, intent.card.uid_hash) if intent.card else ()
    return [
        ("an id is no UUID", all(is_uuid(value) for value in ids)),
        ("a text is too long", all(len(text) <= MAX_TEXT for text in (*texts, *card, *intent.appointment_ids))),
        ("no patient is named", bool(intent.patient_id)),
        ("a number is out of range", _in_range(intent)),
        ("site_day is no date", _is_date(intent.site_day)),
    ]


def _in_range(intent: Intent) -> bool:
    clock = intent.clock
    counts = (intent.leg, intent.base_version, intent.definitions_version)
    return all(0 <= count < 2**53 for count in counts) and clock.wall_ms in _MOMENTS and clock.mono_ms in _MOMENTS


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
