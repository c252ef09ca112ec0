"""The canonical id of a card, the judgement on a typed one, and its keyed hashes.

The hashes are the only form in which a card is stored, sent between the two ends, or logged.

A plain hash of a four-byte UID is reversed in seconds, so the hash is HMAC-SHA-256 under a key of the site. The keys
are in a file of their own (0600), never in a database.

Keys rotate by layers: the hash under a newer key is the HMAC of the hash under the key before it. So a stored hash is
lifted to a new key without the card.
"""

import hmac
import itertools
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hardware.card import RefusedReason, Technology, judge
from sync.durable import write_secret

_SEPARATORS = re.compile(r"[\W_]")
_HEX = re.compile(r"(?:[0-9a-f]{2}){4,16}")
_HASH = re.compile(r"[0-9a-f]{64}")
_TECHNOLOGIES = {str(technology): technology for technology in Technology}
_OPAQUE = "tag"
MAX_TAG_ID = 256
_SHORT_DIGITS = 8  # of a UID of 4 bytes


class CardHash(msgspec.Struct, frozen=True):
    """A card under one key: the id of the key, and the hash (64 hex digits)."""

    key_id: str
    uid_hash: str


@dataclass(frozen=True, slots=True)
class CardKey:
    """A secret of the site (32 bytes in hex) with its id."""

    key_id: str
    secret: str = field(repr=False)

    def hash(self, text: str) -> CardHash:
        """The hash of a text: a card's canonical id, or the hash under the key before this one.

        Raises ValueError where the secret is not hex.
        """
        return CardHash(self.key_id, hmac.digest(bytes.fromhex(self.secret), text.encode(), "sha256").hex())


class CardKeys(msgspec.Struct, frozen=True):
    """The site's keys in the order of their layers, oldest first.

    This is the JSON of the key file, of an enrolment and of a pull's answer.
    """

    keys: tuple[CardKey, ...]

    @property
    def newest(self) -> str:
        """The id of the newest key; empty without keys."""
        return self.keys[-1].key_id if self.keys else ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, oldest first."""
        return tuple(key.key_id for key in self.keys)

    def hashes(self, canonical: str) -> tuple[CardHash, ...]:
        """A card's hashes from its canonical id, one for each layer, newest first."""
        return _layers(canonical, self.keys)

    def layers_of(self, card: CardHash) -> tuple[CardHash, ...]:
        """The hashes of a card from its own layer up, newest first. A hash under an unknown key stays alone."""
        if card.key_id not in self.ids or not _HASH.fullmatch(card.uid_hash):
            return (card,)
        return (*_layers(card.uid_hash, self.keys[self.ids.index(card.key_id) + 1 :]), card)

    def lift(self, card: CardHash) -> CardHash:
        """The hash of a card under the newest key. A hash under an unknown key stays as it is."""
        return card if card.key_id == self.newest else self.layers_of(card)[0]

    def lift_in(self, text: str) -> str:
        """A text with the hashes of cards in it under the newest key, in the forms in which the centre keeps them.

        These are `key_id:uid_hash`, and the JSON of a `CardHash`.
        """
        former = "|".join(re.escape(key_id) for key_id in self.ids[:-1])
        if not former:
            return text

        def lifted(found: re.Match[str]) -> str:
            card = self.lift(CardHash(found[1], found[3]))
            return f"{card.key_id}{found[2]}{card.uid_hash}"

        return re.sub(rf'\b({former})(:|"\s*,\s*"uid_hash"\s*:\s*")([0-9a-f]{{64}})\b', lifted, text)


def _layers(text: str, keys: Iterable[CardKey]) -> tuple[CardHash, ...]:
    """The hashes of a text under these keys, each over the hash before it, newest first."""
    found: list[CardHash] = []
    for key in keys:
        found.append(key.hash(found[-1].uid_hash if found else text))
    return tuple(reversed(found))


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
    RefusedReason.SHORT_UID: "its UID has only 4 bytes, and this hospital does not accept such cards",
    RefusedReason.UNREADABLE: "no card of this technology has such an id; "
    "without iso14443a:, felica:, iso15693: or ksx6924: before it, an id is taken for iso14443a",
}


SHORT_UID = RefusedCard(RefusedReason.SHORT_UID)


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


def judge_at_site(canonical: str, *, refuses_short_uids: bool) -> RefusedCard | None:
    """Why a site does not accept a usable card; None where it does.

    A UID of 4 bytes is easy to copy, and few enough exist to try all under a stolen key.
    """
    technology, _, uid = canonical.partition(":")
    is_short = technology == Technology.ISO14443A and len(uid) == _SHORT_DIGITS
    return SHORT_UID if is_short and refuses_short_uids else None


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
    keys = CardKeys((new_key(()),))
    write_keys(path, keys)
    return keys


def new_key(taken: Collection[str]) -> CardKey:
    """A new key, with an id that is not in `taken`."""
    ids = (f"k{secrets.token_hex(3)}" for _ in itertools.count())
    return CardKey(next(key_id for key_id in ids if key_id not in taken), secrets.token_hex(32))


def write_keys(path: Path, keys: CardKeys) -> None:
    """Writes a key file that only its owner may read: whole or not at all, and durable. Raises OSError."""
    write_secret(path, msgspec.json.encode(keys))
