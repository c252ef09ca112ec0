"""The form of a contactless card in the ATR of a PC/SC reader (PC/SC part 3, 3.1.3.2.3, and its supplement).

The reader makes up a storage card's ATR, which names standard and card. A processor card's ATR carries the historical
bytes of its ATS (type A), or bytes of its ATQB (type B), and does not say which. For a reader without PC/SC, the
functions at the end make the ATR that a PC/SC reader would show.
"""

from collections.abc import Sequence
from dataclasses import replace

from hardware.card import RefusedReason, Technology
from hardware.form import ANY_LENGTH, AdmittedForm, CardForm, admitted_as

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
# Readers of ACS name an unknown card by FF and its SAK. Bit 7 of the SAK is NFC-DEP, as of phones.
_SAK_NAMES, _SAK_NFC_DEP = 0xFF, 0x40
# The historical bytes of MIFARE DESFire and NTAG 424 DNA; and the beginning of those of MIFARE Plus (NXP AN10833): five
# bytes of type identification follow.
_DESFIRE, _MIFARE_PLUS = b"\x80", b"\xc1\x05"
_DOUBLE_OR_TRIPLE = frozenset({7, 10})
# The first byte of historical bytes in the form of ISO 7816-4, 8.1.1.
_CATEGORIES = {0x00, 0x10, 0x80}
_MOST_SHOWN = 4
_ATQB = 0x50


def read_atr(atr: bytes, admitted: Sequence[AdmittedForm] = ()) -> CardForm:
    """The form in an ATR, with the forms that IT admits.

    A damaged ATR, and one that is not of a contactless card, prove nothing.
    """
    form = replace(_read(_historical(atr)), shown=masked(atr))
    technology = admitted_as(atr, admitted)
    if technology is None or form.technology not in {None, technology}:
        return form
    return replace(form, technology=technology, lengths=ANY_LENGTH, may_be_other=False)


def masked(atr: bytes) -> str:
    """An ATR in hex with `..` for each byte that could be a part of an id. It is a pattern of `AdmittedForm` too."""
    historical = _historical(atr)
    if historical is None:
        shown, start, end = {0, 1}, 0, len(atr)
    else:
        shown, start, end = _shown(historical), 4, len(atr) - 1
    hidden = {at for at in range(start, end) if at - start not in shown}
    if hidden:
        hidden.add(len(atr) - 1)  # the check byte would tell a hidden one
    return "".join(".." if at in hidden else f"{byte:02X}" for at, byte in enumerate(atr))


def processor_atr(historical: bytes) -> bytes:
    """The ATR of a processor card with these historical bytes, 15 at most."""
    atr = bytes([0x3B, 0x80 | len(historical), 0x80, 0x01]) + historical
    return atr + bytes([_xor(atr[1:])])


def storage_atr(standard: int, name: int) -> bytes:
    """The ATR of a storage card with this standard byte and name."""
    return processor_atr(b"\x80\x4f\x0c" + _RID + bytes([standard]) + name.to_bytes(2, "big") + bytes(4))


def _read(historical: bytes | None) -> CardForm:
    if historical is None:
        return CardForm(None)
    if application := _storage(historical):
        return _storage_form(application[5], int.from_bytes(application[6:8], "big"))
    if historical == _DESFIRE:
        return CardForm(Technology.ISO14443A, _DOUBLE_OR_TRIPLE)
    if len(historical) == 7 and historical.startswith(_MIFARE_PLUS):
        return CardForm(Technology.ISO14443A, frozenset({4, 7}))
    return CardForm(
        None,
        _DOUBLE_OR_TRIPLE,
        may_be_transit=True,
        may_be_other=True,
        # A phone that plays a card has no historical bytes. Cards with random ids name their chip there.
        if_random=RefusedReason.RANDOM_ID if historical else RefusedReason.PHONE,
        like_type_b=_is_of_atqb(historical) or _is_atqb(historical),
    )


def _storage_form(standard: int, name: int) -> CardForm:
    technology = Technology.FELICA if name in _FELICA_NAMES else _STANDARDS.get(standard)
    is_phone = name >> 8 == _SAK_NAMES and name & _SAK_NFC_DEP and technology is Technology.ISO14443A
    return CardForm(technology, if_random=RefusedReason.PHONE if is_phone else RefusedReason.RANDOM_ID)


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


def _storage(historical: bytes) -> bytes | None:
    """The application id that PC/SC gives a storage card: RID, standard, name."""
    application = _find(historical, _APPLICATION_ID)
    return application if application and application[:5] == _RID and len(application) >= 8 else None


def _find(historical: bytes, tag: int) -> bytes | None:
    """The value of a tag after category byte 80; tag and length are a byte each here, not the nibbles of ISO 7816-4."""
    rest = historical[1:] if historical[:1] == b"\x80" else b""
    while len(rest) >= 2:
        value, following = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        if rest[0] == tag and len(value) == rest[1]:
            return value
        rest = following
    return None


def _is_of_atqb(historical: bytes) -> bool:
    """Four bytes of application data, three of protocol information, and MBLI in the upper half of the last.

    The lowest bit of the protocol information's second byte says ISO 14443-4. The fourth bit of that byte is always 0.
    Text of a type A card can look so too.
    """
    return len(historical) == 8 and historical[5] & 0x09 == 0x01 and historical[7] & 0x0F == 0


def _is_atqb(historical: bytes) -> bool:
    """A whole ATQB, as some readers show it: 50, the PUPI, application data and protocol information."""
    return len(historical) == 12 and historical[0] == _ATQB and historical[10] & 0x08 == 0


def _shown(historical: bytes) -> set[int]:
    """The places of historical bytes that cannot be a part of an id."""
    if _storage(historical):
        return set(range(historical.index(_RID) + 8))
    if _is_of_atqb(historical):
        return set(range(4, 8))
    if historical[:1] == bytes([_ATQB]):
        return {0}
    first = historical[:_MOST_SHOWN]
    of_a_kind = first[:1] and (first[0] in _CATEGORIES or all(0x20 < byte < 0x7F for byte in first))
    return set(range(min(_MOST_SHOWN, (len(historical) + 1) // 2) if of_a_kind else 1))
