"""Korean transit cards (KS X 6924): their id is the card serial number (CSN) in the purse file, never the UID.

Transit cards are of type A or type B, of plastic or in a phone. A phone may show another UID each time.
"""

from collections.abc import Iterator

from hardware.card import Card, RefusedReason, Technology, Transmit, body, judge

_PURSES = (
    bytes.fromhex("00A4040007D410000003000100"),  # T-money
    bytes.fromhex("00A4040007D410000014000100"),  # Cashbee
)
_TEMPLATE, _PURSE_INFO = 0x6F, 0xB0
_CSN = slice(4, 12)


def read_transit_card(transmit: Transmit) -> Card | RefusedReason | None:
    """The transit card that answers; None when the card says that it is no transit card.

    A card that falls silent here is unreadable: a transit card that is taken away early must not be read by its UID.
    """
    for select in _PURSES:
        answer = transmit(select)
        if not answer:
            return RefusedReason.UNREADABLE
        if (purse := body(answer)) is not None:
            csn = serial_number(purse)
            return RefusedReason.NO_STABLE_ID if csn is None else judge(Technology.KSX6924, csn)
    return None


def serial_number(purse: bytes) -> bytes | None:
    """The eight bytes of the CSN in the answer to SELECT (file control information, ISO 7816-4, 7.4.3)."""
    for tag, value in _elements(purse):
        if tag == _TEMPLATE:
            return serial_number(value)
        if tag == _PURSE_INFO and len(value) >= _CSN.stop:
            return value[_CSN]
    return None


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each BER-TLV element (ISO 7816-4, 5.2.2.2), until the data ends or makes no sense."""
    at = 0
    while at + 2 <= len(data):
        tag, at = data[at], at + 1
        if tag & 0x1F == 0x1F:  # a second byte of the tag follows
            tag, at = tag << 8 | data[at], at + 1
        size = data[at : at + 1]
        at += 1
        if size == b"\x81":
            size = data[at : at + 1]
            at += 1
        if not size or at + size[0] > len(data):
            return
        yield tag, data[at : at + size[0]]
        at += size[0]
