"""Ids: UUIDs of version 7 (RFC 9562, 5.7), so that rows sort by the time at which they were made."""

import re
import secrets
import time
import uuid

_PROVISIONAL = "card-"
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def uuid7(now_ms: int, randomness: bytes) -> str:
    """The UUIDv7 of a time (UTC ms) and ten random bytes, as text."""
    value = (now_ms & (1 << 48) - 1) << 80 | int.from_bytes(randomness[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def new_id() -> str:
    """A new UUIDv7 by this machine's clock. A wrong clock does no harm, since ids decide no order."""
    return uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10))


def provisional_id() -> str:
    """A new id that a kiosk gives the holder of an unknown card. No hospital's patient has one of this form."""
    return f"{_PROVISIONAL}{new_id()}"


def is_provisional_id(text: str) -> bool:
    """Whether a patient's id is one that a kiosk made for the holder of an unknown card."""
    return text.startswith(_PROVISIONAL) and is_uuid(text.removeprefix(_PROVISIONAL))


def is_uuid(text: object) -> bool:
    """Whether a value is a UUID in its usual spelling. Both ends refuse any other text as an id."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None
