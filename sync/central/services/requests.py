"""A request to act: checked, with ids in one spelling and cards as hashes only."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sync.cards import CardHash, RefusedCard, canonical_tag, holds_card, judge_at_site, judge_tag
from sync.central.services.errors import NO_OBJECT, ApiError
from sync.central.site_keys import SiteKeys
from sync.ids import is_uuid

MAX_ID = 128
MAX_REASON = 500
MAX_LABEL = 40  # of what staff call a card
INVALID_ACTION_ID = ApiError("invalid_action_id", "action_id must be a UUID.")
NO_STATE = ApiError("malformed", "The body must name a state.")
NO_REASON = ApiError("malformed", f"reason must be a text of at most {MAX_REASON} characters.")
NO_REASON_GIVEN = ApiError("malformed", f"reason must be a text of 1 to {MAX_REASON} characters.")
NO_TAG = ApiError("malformed", "tag_id must be a text.")
_CARD_FIELDS = frozenset({"tag_id"})
_NAMES = ("patient_id", "queue_id", "exam_id", "room", "seen_state")


class ActionRequest(msgspec.Struct, frozen=True):
    """One request to act. `payload` holds no card as read, but its newest hash.

    `cards` are the hashes of the card under the keys of the kiosks, newest first; empty without a card. `short_uid`:
    the card's UID has 4 bytes.
    """

    action_type: str
    action_id: str
    payload: Mapping[str, Any]
    cards: tuple[CardHash, ...] = ()
    short_uid: bool = False

    def named(self, field: str) -> str | None:
        """The text of a member of the payload, such as patient_id, room or reason; None without one."""
        value = self.payload.get(field)
        return str(value) if value is not None else None

    def content_hash(self, role: str, patient_id: str) -> str:
        """SHA-256 over role, subject, action type and payload. A repeat of an action id has the same one.

        A repeat after a rotation of the card keys has it among its `content_hashes` alone.
        """
        return self._content_hash(role, patient_id, self.payload)

    def content_hashes(self, role: str, patient_id: str) -> frozenset[str]:
        """The content hashes that the request had, or would have had, under each of the card keys."""
        payloads = [_under(self.payload, self.cards[0], card) for card in self.cards] or [self.payload]
        return frozenset(self._content_hash(role, patient_id, payload) for payload in payloads)

    def _content_hash(self, role: str, patient_id: str, payload: Mapping[str, Any]) -> str:
        content = [role, patient_id, self.action_type, payload]
        return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def read_action_request(document: object, keys: SiteKeys, new_id: Callable[[], str]) -> ActionRequest | ApiError:
    """The request in a JSON document {action_type, payload, action_id}, or the error.

    A request without an `action_id` gets one of `new_id`. Its client cannot repeat it safely.
    """
    if not isinstance(document, dict):
        return NO_OBJECT
    action_type = document.get("action_type")
    if action_type is None or action_type == "":
        return ApiError("missing_action_type", "action_type is missing.")
    payload = document.get("payload")
    payload = {} if payload is None else payload
    action_id = document.get("action_id")
    action_id = new_id() if action_id is None else action_id
    fault = _fault(action_type, payload, action_id)
    if fault:
        return fault
    canonical = _canonical(payload)
    if canonical is None:
        return ActionRequest(action_type, action_id.lower(), payload)
    if isinstance(canonical, ApiError):
        return canonical
    cards = keys.published.hashes(canonical)
    hashed = _without_card(payload, canonical, cards[0])
    if "patient_id" in payload:
        hashed["patient_id"] = payload["patient_id"]  # a card may bear its holder's number, and that is no UID
    short_uid = judge_at_site(canonical, refuses_short_uids=True) is not None
    return ActionRequest(action_type, action_id.lower(), hashed, cards, short_uid)


def _fault(action_type: object, payload: object, action_id: object) -> ApiError | None:
    if not isinstance(action_type, str) or len(action_type) > MAX_ID:
        return ApiError("malformed", f"action_type must be a text of at most {MAX_ID} characters.")
    if not is_uuid(action_id):
        return INVALID_ACTION_ID
    if not isinstance(payload, dict):
        return ApiError("invalid_payload", "payload must be a JSON object.")
    for name in _NAMES:
        value = payload.get(name)
        if value is not None and not is_name(value):
            return ApiError("invalid_payload", f"payload.{name} must be a text of 1 to {MAX_ID} characters.")
    return None


def is_name(value: object) -> bool:
    """Whether a value can be an id or another short name: printable text, not empty, not long."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isprintable()


def is_reason(value: object) -> bool:
    """Whether a value can be the reason that staff give: a text, perhaps empty, not long."""
    return isinstance(value, str) and len(value) <= MAX_REASON


def is_given(reason: str) -> bool:
    """Whether a reason that is demanded was given: a text that is not blank, not long."""
    return bool(reason.strip()) and is_reason(reason)


def is_label(value: object) -> bool:
    """Whether a value can be what staff call a card: printable text, perhaps empty, short."""
    return isinstance(value, str) and len(value) <= MAX_LABEL and value.isprintable()


def read_tag(tag_id: object, code: str) -> str | ApiError:
    """The canonical id of a card as a reader or a person writes it, or an error of this code."""
    if not isinstance(tag_id, str):
        return ApiError(code, NO_TAG.message)
    try:
        return canonical_tag(tag_id)
    except ValueError as error:
        return ApiError(code, f"{error}.")


def read_usable_card(tag_id: object, code: str, done: str) -> str | ApiError:
    """The canonical id of a card that is to be bound or blocked (`done`, in English).

    Otherwise an error: of this code for a text that is no tag, `unusable_card` for a card that no kiosk accepts.
    """
    canonical = read_tag(tag_id, code)
    if isinstance(canonical, ApiError):
        return canonical
    judged = judge_tag(str(tag_id))
    if isinstance(judged, RefusedCard):
        return ApiError("unusable_card", f"This card cannot be {done}: {judged.why}.")
    return judged


def _canonical(payload: Mapping[str, Any]) -> str | ApiError | None:
    """The canonical id of the card in a payload, at any depth; None where there is none."""
    found: set[str] = set()
    for value in _card_values(payload):
        canonical = read_tag(value, "invalid_payload")
        if isinstance(canonical, ApiError):
            return canonical
        found.add(canonical)
    if len(found) > 1:
        return ApiError("invalid_payload", "A request can name one card only.")
    return found.pop() if found else None


def _card_values(value: Mapping[str, Any] | list[Any]) -> list[Any]:
    if isinstance(value, list):
        return [found for item in value if isinstance(item, dict | list) for found in _card_values(item)]
    own = [item for key, item in value.items() if key in _CARD_FIELDS and item is not None]
    inside = [item for key, item in value.items() if key not in _CARD_FIELDS and isinstance(item, dict | list)]
    return own + [found for item in inside for found in _card_values(item)]


def _without_card(value: Any, canonical: str, card: CardHash) -> Any:
    """A value with the card's hash in place of every text that holds the card, under any key."""
    if isinstance(value, dict):
        return {
            _without_card(key, canonical, card): _without_card(item, canonical, card) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without_card(item, canonical, card) for item in value]
    if isinstance(value, str) and holds_card(value, canonical):
        return _as_text(card)
    return value


def _under(payload: Mapping[str, Any], newest: CardHash, card: CardHash) -> Mapping[str, Any]:
    """A payload with another hash of its card in place of the newest one."""
    text = msgspec.json.encode(payload).decode().replace(_as_text(newest), _as_text(card))
    found: Mapping[str, Any] = msgspec.json.decode(text)
    return found


def _as_text(card: CardHash) -> str:
    return f"{card.key_id}:{card.uid_hash}"
