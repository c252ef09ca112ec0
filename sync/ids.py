"""Ids: UUIDs of version 7 (RFC 9562, 5.7), so that rows sort by the time at which they were made."""

import os
import re
import secrets
import time

_LARGEST_MS = (1 << 48) - 1
_PROVISIONAL = "card-"
UUID_PATTERN = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_DESK = "desk-"
_READABLE = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that looks like something else
_DESK_ID = re.compile(rf"{_DESK}[0-9]{{8}}-[{_READABLE}]{{6}}")
_UUID = re.compile(UUID_PATTERN)


def uuid7(now_ms: int, randomness: bytes) -> str:
    """The UUIDv7 of a time (UTC ms) and ten random bytes, as text."""
    time_part, rest = f"{now_ms & _LARGEST_MS:012x}", randomness[:10].hex()
    # The version 7 takes the place of four random bits, and the variant 0b10 of two.
    variant = "89ab"[int(rest[4], 16) & 0b11]
    return f"{time_part[:8]}-{time_part[8:]}-7{rest[1:4]}-{variant}{rest[5:8]}-{rest[8:]}"


def new_id() -> str:
    """A new UUIDv7 by this machine's clock. A wrong clock does no harm, since ids decide no order."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def provisional_id() -> str:
    """A new id that a kiosk gives the holder of an unknown card. No hospital's patient has one of this form."""
    return f"{_PROVISIONAL}{new_id()}"


def is_provisional_id(text: str) -> bool:
    """Whether a patient's id is one that a kiosk made for the holder of an unknown card."""
    return text.startswith(_PROVISIONAL) and is_uuid(text.removeprefix(_PROVISIONAL))


def desk_id(day: str) -> str:
    """A new id for a patient whom the desk registers without a hospital number. No hospital's patient has such a one.

    `day` is the day of the site (ISO date). People can read the id to each other.
    """
    letters = "".join(secrets.choice(_READABLE) for _ in range(6))
    return f"{_DESK}{day.replace('-', '')}-{letters}"


def is_desk_id(text: str) -> bool:
    """Whether a patient's id has the form that the desk gives those without a hospital number."""
    return _DESK_ID.fullmatch(text) is not None


def is_uuid(text: object) -> bool:
    """Whether a value is a UUID in its usual spelling. Both ends refuse any other text as an id."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None
