"""Reads the body of a pushed action: an intent that can be judged, or the reason why it is none."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import msgspec

from sync.ids import is_uuid
from sync.protocol import Intent, canonical
from sync.text import holds_nul
from sync.visit_secret import is_hash

MAX_TEXT = 128  # characters of an id, a queue number, a state
MAX_DEPTH = 32  # nested lists and objects
_PLACE = frozenset({"kiosk_id", "epoch", "seq"})  # an action may move in a chain, and is still the same action
_CARD_AS_READ = "tag_id"
_MOMENTS = range(-(2**53), 2**53)  # range of a clock reading, in milliseconds


class Body(msgspec.Struct, frozen=True):
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
    """A body as JSON; None where it is broken, has numbers out of range, holds U+0000, or is nested too deep."""
    if holds_nul(raw):
        return None
    try:
        value = msgspec.json.decode(raw)
        # What opens so few lists and objects in all is nested no deeper.
        is_shallow = raw.count(b"{") + raw.count(b"[") < MAX_DEPTH or _is_shallow(value)
        return Body(value, canonical(value)) if is_shallow else None
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
    reason = _unsound(intent)
    if reason is not None:
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


def identity_in(document: dict[str, Any]) -> ClaimedIdentity:
    """As `claimed_identity`, for a body that was read already."""
    return ClaimedIdentity(document.get("action_id"), document.get("seq"))


def content_hash(document: dict[str, Any]) -> str:
    """SHA-256 (hex) over the content of an action, without its place in a chain.

    Empty members count as absent: an action that a newer kiosk encodes again, with more fields, stays the same action.
    """
    content = {key: value for key, value in document.items() if value}
    for key in _PLACE:
        content.pop(key, None)
    return hashlib.sha256(canonical(content)).hexdigest()


def hash_of_raw(raw: bytes) -> str:
    """The content hash of a body as it came: of the bytes, which no action has, where the body is no JSON object."""
    body = read_body(raw)
    document = body.document if body else None
    return hashlib.sha256(raw).hexdigest() if document is None else content_hash(document)


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


def _unsound(intent: Intent) -> str | None:
    """Why an intent cannot be kept or judged; None for a sound one."""
    if not (is_uuid(intent.action_id) and is_uuid(intent.visit_id) and is_uuid(intent.queue_id)):
        return "an id is no UUID"
    names = (intent.action_type, intent.patient_id, intent.queue_number, intent.exam_id)
    card = (intent.card.key_id, intent.card.uid_hash) if intent.card else ()
    texts = (*names, intent.journey_state, intent.binding_id or "", *card, *intent.appointment_ids)
    if max(map(len, texts)) > MAX_TEXT:
        return "a text is too long"
    if not intent.patient_id:
        return "no patient is named"
    if intent.visit_hash and not is_hash(intent.visit_hash):
        return "visit_hash is no SHA-256"
    counts, clock = (intent.leg, intent.base_version, intent.definitions_version), intent.clock
    if min(counts) < 0 or max(counts) >= 2**53 or clock.wall_ms not in _MOMENTS or clock.mono_ms not in _MOMENTS:
        return "a number is out of range"
    return None if _is_date(intent.site_day) else "site_day is no date"


@lru_cache(maxsize=64)
def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
