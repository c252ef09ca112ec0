"""Card ids as keyed hashes: the only form in which a card is stored, sent between the two ends, or logged.

A plain hash of a four-byte UID is reversed in seconds, so the hash is HMAC-SHA-256 under a key of the site. The keys
are in a file of their own (0600), never in a database. Each key has an id, so that keys can be rotated.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sync.durable import write_secret

_SEPARATORS = re.compile(r"[\W_]")
_HEX = re.compile(r"(?:[0-9a-f]{2}){4,16}")
MAX_TAG_ID = 256


@dataclass(frozen=True, slots=True)
class CardHash:
    """A card under one key: the id of the key, and the hash (64 hex digits)."""

    key_id: str
    uid_hash: str


@dataclass(frozen=True, slots=True)
class CardKey:
    """A secret of the site (32 bytes in hex) with its id."""

    key_id: str
    secret: str = field(repr=False)

    def hash(self, canonical: str) -> CardHash:
        """The hash of a card's canonical id. Raises ValueError where the secret is not hex."""
        secret = bytes.fromhex(self.secret)
        return CardHash(self.key_id, hmac.new(secret, canonical.encode(), hashlib.sha256).hexdigest())


class CardKeys(msgspec.Struct, frozen=True):
    """The site's keys, newest first. During a rotation there are two keys.

    This is the JSON of the key file and of an enrolment.
    """

    keys: tuple[CardKey, ...]

    def hashes(self, canonical: str) -> tuple[CardHash, ...]:
        """A card's hashes from its canonical id, one for each key, newest key first."""
        return tuple(key.hash(canonical) for key in self.keys)


def canonical_uid(uid: bytes) -> str:
    """The canonical id of a card whose UID was read as bytes."""
    return f"uid:{uid.hex()}"


def canonical_tag(tag_id: str) -> str:
    """The canonical id of a `tag_id` of a client: hex in any case and with any separators, or any other text.

    Raises ValueError where `tag_id` is empty, longer than 256 characters or not printable.
    """
    digits, text = _SEPARATORS.sub("", tag_id).lower(), tag_id.strip()
    if len(tag_id) <= MAX_TAG_ID and _HEX.fullmatch(digits):
        return f"uid:{digits}"
    if not text or len(tag_id) > MAX_TAG_ID or not text.isprintable():
        raise ValueError(f"tag_id must hold 1 to {MAX_TAG_ID} printable characters")
    return f"tag:{text}"


def read_keys(path: Path) -> CardKeys:
    """The keys of a key file. Raises OSError, or ValueError where the file is no key file."""
    keys = msgspec.json.decode(path.read_bytes(), type=CardKeys)
    if not usable(keys):
        raise ValueError(f"{path} holds no usable key")
    return keys


def usable(keys: CardKeys) -> bool:
    """Whether cards can be hashed under these keys: there is a key, no id comes twice, and each secret is hex and long
    enough."""
    try:
        long_enough = all(len(bytes.fromhex(key.secret)) >= 16 for key in keys.keys)
    except ValueError:
        return False
    return bool(keys.keys) and long_enough and len({key.key_id for key in keys.keys}) == len(keys.keys)


def load_or_make_keys(path: Path) -> CardKeys:
    """The keys of a key file. Where there is no file, makes a first key and writes it. Raises as `read_keys` does."""
    if path.exists():
        return read_keys(path)
    keys = CardKeys((CardKey(f"k{secrets.token_hex(3)}", secrets.token_hex(32)),))
    write_secret(path, msgspec.json.encode(keys))
    return keys
