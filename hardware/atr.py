"""The facts about a contactless card in the ATR of a PC/SC reader (PC/SC part 3, 3.1.3.2.3, and its supplement).

The reader makes up a storage card's ATR, which names standard and card. A processor card's ATR carries the historical
bytes of its ATS (type A), or bytes of its ATQB (type B).
"""

from dataclasses import dataclass

from hardware.card import Technology

_RID = bytes.fromhex("A000000306")
_APPLICATION_ID = 0x4F
_STANDARDS = {
    **dict.fromkeys((0x01, 0x02, 0x03), Technology.ISO14443A),
    **dict.fromkeys((0x05, 0x06, 0x07), Technology.ISO14443B),
    **dict.fromkeys((0x09, 0x0A, 0x0B, 0x0C), Technology.ISO15693),
    0x11: Technology.FELICA,
}
# A reader older than FeliCa's own standard byte gives one of ISO 14443. Only the card's name says FeliCa then.
_FELICA_NAMES = {0x003B, 0xF011, 0xF012}
_DESFIRE = b"\x80"


@dataclass(frozen=True, slots=True)
class AtrFacts:
    """The facts that follow from an ATR. `technology` is None where the ATR does not say it.

    `processor`: the card may answer commands of ISO 7816-4."""

    technology: Technology | None
    processor: bool
    desfire: bool = False


UNKNOWN = AtrFacts(None, processor=False)


def read_atr(atr: bytes) -> AtrFacts:
    """The facts in an ATR; UNKNOWN when it is damaged or not of the form for contactless cards."""
    historical = _historical(atr)
    if historical is None:
        return UNKNOWN
    if (application := _find(historical, _APPLICATION_ID)) and application[:5] == _RID and len(application) >= 8:
        return AtrFacts(_storage_technology(application[5], int.from_bytes(application[6:8], "big")), processor=False)
    if _is_type_b(historical):
        return AtrFacts(Technology.ISO14443B, processor=True)
    return AtrFacts(Technology.ISO14443A, processor=True, desfire=historical == _DESFIRE)


def _historical(atr: bytes) -> bytes | None:
    """The historical bytes of 3B 8n 80 01 … TCK; None for anything else."""
    if len(atr) < 5 or atr[0] != 0x3B or atr[1] >> 4 != 8 or atr[2:4] != b"\x80\x01":
        return None
    if len(atr) != 5 + (atr[1] & 0x0F) or _xor(atr[1:]):
        return None
    return atr[4:-1]


def _xor(data: bytes) -> int:
    result = 0
    for byte in data:
        result ^= byte
    return result


def _find(historical: bytes, tag: int) -> bytes | None:
    """The value of a tag after category byte 80; tag and length are a byte each here, not the nibbles of ISO 7816-4."""
    rest = historical[1:] if historical[:1] == b"\x80" else b""
    while len(rest) >= 2:
        value, following = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        if rest[0] == tag and len(value) == rest[1]:
            return value
        rest = following
    return None


def _storage_technology(standard: int, name: int) -> Technology | None:
    if name in _FELICA_NAMES:
        return Technology.FELICA
    return _STANDARDS.get(standard)


def _is_type_b(historical: bytes) -> bool:
    """Four bytes of application data, three of protocol information, and MBLI in the upper half of the last.

    The lowest bit of the protocol information's second byte says ISO 14443-4. Two bits of that byte are always 0.
    """
    return len(historical) == 8 and historical[5] & 0x09 == 0x01 and historical[7] & 0x0F == 0
