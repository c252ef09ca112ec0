"""The canonical id of a card, the judgement on a typed one, and its keyed hashes.

The hashes are the only form in which a card is stored, sent between the two ends, or logged.

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

from hardware.card import RefusedReason, Technology, judge
from sync.durable import write_secret

_SEPARATORS = re.compile(r"[\W_]")
_HEX = re.compile(r"(?:[0-9a-f]{2}){4,16}")
_TECHNOLOGIES = {str(technology): technology for technology in Technology}
_OPAQUE = "tag"
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


@dataclass(frozen=True, slots=True)
class RefusedCard:
    """A card that no kiosk accepts. `why` is a part of a sentence, for the person who typed the card."""

    reason: RefusedReason

    @property
    def why(self) -> str:
        """Why, in English."""
        return _WHY.get(self.reason, "cards of this kind are not accepted")


_WHY = {
    RefusedReason.PHONE: "it is a phone, which shows another id each time",
    RefusedReason.RANDOM_ID: "it is a phone, or a card that shows another id each time",
    RefusedReason.NO_STABLE_ID: "an id of this kind may change, or was cut short",
    RefusedReason.UNREADABLE: "no card of this technology has such an id; "
    "without iso14443a:, felica:, iso15693: or ksx6924: before it, an id is taken for iso14443a",
}


def canonical_card(technology: str, uid: bytes) -> str:
    """The canonical id of a card that was read as bytes: its technology (`hardware.card.Technology`), and hex."""
    return f"{technology}:{uid.hex().upper()}"


def canonical_tag(tag_id: str) -> str:
    """The canonical id of a `tag_id` of a client: a card as `read_uid` takes it, or any other text.

    Raises ValueError where `tag_id` is empty, longer than 256 characters or not printable, or where a technology is
    followed by no id.
    """
    text = tag_id.strip()
    if len(tag_id) <= MAX_TAG_ID and (read := read_uid(tag_id)):
        return canonical_card(*read)
    if not text or len(tag_id) > MAX_TAG_ID or not text.isprintable():
        raise ValueError(f"tag_id must hold 1 to {MAX_TAG_ID} printable characters")
    return f"{_OPAQUE}:{text}"


def judge_tag(tag_id: str) -> str | RefusedCard:
    """The canonical id of a card that is to be bound, or why no kiosk would accept the card.

    A text that is no id of a card is not judged. Raises ValueError as `canonical_tag` does.
    """
    canonical = canonical_tag(tag_id)
    if read := read_uid(canonical):
        judged = judge(*read)
        if isinstance(judged, RefusedReason):
            return RefusedCard(judged)
    return canonical


def is_card(canonical: str) -> bool:
    """Whether a canonical id is that of a card, which a reader can show. Any other text is none."""
    return not canonical.startswith(f"{_OPAQUE}:")


def read_uid(text: str) -> tuple[Technology, bytes] | None:
    """The technology and the 4 to 16 bytes of an id in a text; None for a text of another form.

    The form is `felica:0101010601B00ADE`: a technology, a colon, and hex in any case and with any separators. Hex alone
    means iso14443a. Raises ValueError where a technology is followed by no id.
    """
    prefix, colon, rest = text.partition(":")
    technology = _TECHNOLOGIES.get(prefix.strip().lower()) if colon else None
    digits = _SEPARATORS.sub("", rest if technology else text).lower()
    if _HEX.fullmatch(digits):
        return technology or Technology.ISO14443A, bytes.fromhex(digits)
    if technology:
        raise ValueError(f"{technology}: must be followed by the 4 to 16 bytes of a card's id in hex")
    return None


def holds_card(text: str, canonical: str) -> bool:
    """Whether a text holds the card with this canonical id, in any spelling and with any technology before it."""
    kind, _, rest = canonical.partition(":")
    if kind == _OPAQUE:
        return text.strip() == rest
    return rest.lower() in _SEPARATORS.sub("", text).lower()


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
