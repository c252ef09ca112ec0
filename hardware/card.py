"""Which ids tell one card from all others, and which do not.

An id says who holds the card only when the card gives the same one each time. None of these ids proves anything: most
can be copied.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum

Transmit = Callable[[bytes], bytes | None]
"""Sends a command to the card. The whole answer with its status bytes; None when the card gave none."""

AroundDriverCall = Callable[[], AbstractContextManager[None]]
"""A context for each driver call that may never return: the supervisor kills a process that stays in it too long."""


class Technology(StrEnum):
    """Where an id comes from. Two cards with equal bytes of different technologies are different cards."""

    ISO14443A = "iso14443a"  # MIFARE, NTAG, DESFire: 4, 7 or 10 bytes
    ISO14443B = "iso14443b"  # PUPI, 4 bytes; never usable
    FELICA = "felica"  # IDm, 8 bytes
    ISO15693 = "iso15693"  # 8 bytes
    KSX6924 = "ksx6924"  # the card serial number of a Korean transit card (T-money, Cashbee), 8 bytes


class RefusedReason(StrEnum):
    """Why a card cannot be used, in as much detail as the person who holds it needs."""

    PHONE = "phone"  # a phone or watch shows another id each time
    RANDOM_ID = "random_id"  # a card that is set to show another id each time
    NO_STABLE_ID = "no_stable_id"  # a kind of card whose id may change, such as type B
    BANK_CARD = "bank_card"
    SHORT_UID = "short_uid"  # a UID of 4 bytes, at a site that does not accept such cards; no reader says this
    PASSPORT = "passport"  # a passport, or another document of ICAO 9303
    UNKNOWN_FORM = "unknown_form"  # nothing proves that the id stays the same
    UNREADABLE = "unreadable"  # taken away too early, damaged, or two cards at once
    IN_USE = "in_use"  # another program on this machine holds the card
    LIFT_AGAIN = "lift_again"  # it lay there before the reader looked, so nobody may stand there


@dataclass(frozen=True, slots=True)
class Card:
    """A usable card."""

    technology: Technology
    uid: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnknownForm:
    """A card that nothing proves to keep its id, as IT sees it. `atr` has `..` for each byte that could tell the id."""

    atr: str
    technology: Technology | None
    id_bytes: int


Found = Card | RefusedReason | UnknownForm
"""What lies on a reader: a usable card, or why it is none."""


_LENGTHS = {
    Technology.ISO14443A: {4, 7, 10},
    Technology.FELICA: {8},
    Technology.ISO15693: {8},
    Technology.KSX6924: {8},
}
# ISO 14443-3, 6.5.4: a single-size id that starts with 08 is a new random one each time; 88 announces that more bytes
# follow, so an id that starts with it was cut short.
_RANDOM, _CASCADE = 0x08, 0x88
# JIS X 6319-4 and NFC Forum: 01FE is NFC-DEP and 02FE a phone that plays a card; both are new random ids each time.
_FELICA_PHONES = (b"\x01\xfe", b"\x02\xfe")


def judge(
    technology: Technology, uid: bytes, *, if_random: RefusedReason = RefusedReason.RANDOM_ID
) -> Card | RefusedReason:
    """The card with this id, or why no card with this id can be used. `if_random`: the reason for a random id."""
    if technology is Technology.ISO14443B:
        # ISO 14443-3, 7.9.2: the PUPI may be a new one each time.
        return RefusedReason.NO_STABLE_ID
    if len(uid) not in _LENGTHS[technology] or (uid.count(uid[0]) == len(uid) and uid[0] in {0x00, 0xFF}):
        return RefusedReason.UNREADABLE
    if technology is Technology.FELICA and uid.startswith(_FELICA_PHONES):
        return RefusedReason.PHONE
    if technology is Technology.ISO14443A:
        if uid[0] == _CASCADE:
            return RefusedReason.NO_STABLE_ID
        if len(uid) == 4 and uid[0] == _RANDOM:
            return if_random
    return Card(technology, uid)


def body(answer: bytes | None) -> bytes | None:
    """The data of an answer, before its status bytes 9000.

    None for any other status, and for an answer without status: after a stall a driver reports success with no data.
    """
    if answer is None or len(answer) < 2 or answer[-2:] != b"\x90\x00":
        return None
    return answer[:-2]
