"""Reads one card on a PC/SC reader. Every driver call here can hang for ever, so each is reported."""

import time
from collections.abc import Sequence

from smartcard import scard

from hardware.apdu import DIALOGUE_S, in_time, with_right_length
from hardware.atr import read_atr
from hardware.card import AroundDriverCall, Found, RefusedReason, body
from hardware.dialogue import identify
from hardware.form import AdmittedForm
from hardware.pcsclite import PcscLite

# PC/SC part 3, 3.2.2.1.3: GET DATA, the reader answers with the UID, PUPI or IDm.
_GET_UID = bytes.fromhex("FFCA000000")
_PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1


def read_card(
    pcsclite: PcscLite,
    context: int,
    reader: bytes,
    atr: bytes,
    driver_call: AroundDriverCall,
    admitted: Sequence[AdmittedForm] = (),
) -> Found:
    """The card that lies on the reader, or why it cannot be used. `admitted`: the further forms that IT admits."""
    until_s = time.monotonic() + DIALOGUE_S
    found = _read_once(pcsclite, context, reader, atr, driver_call, admitted, until_s)
    if found is RefusedReason.UNREADABLE:
        # Another program may have reset the card in between.
        found = _read_once(pcsclite, context, reader, atr, driver_call, admitted, until_s)
    return found


def _read_once(
    pcsclite: PcscLite,
    context: int,
    reader: bytes,
    atr: bytes,
    driver_call: AroundDriverCall,
    admitted: Sequence[AdmittedForm],
    until_s: float,
) -> Found:
    with driver_call():
        result, card, protocol = pcsclite.connect(context, reader, scard.SCARD_SHARE_SHARED, _PROTOCOLS)
    if result == scard.SCARD_E_SHARING_VIOLATION:
        return RefusedReason.IN_USE
    if result != scard.SCARD_S_SUCCESS:
        return RefusedReason.UNREADABLE

    def transmit(command: bytes) -> bytes | None:
        with driver_call():
            sent, answer = scard.SCardTransmit(card, protocol, list(command))
        return bytes(answer) if sent == scard.SCARD_S_SUCCESS else None

    try:
        if not atr:
            # It was mute, and the connection gives it power. Its ATR comes with the next state of the reader.
            return RefusedReason.UNREADABLE
        whole = with_right_length(in_time(transmit, until_s))
        return identify(read_atr(atr, admitted), lambda: body(whole(_GET_UID)), whole)
    finally:
        # Anything but LEAVE_CARD cuts the power of a phone.
        with driver_call():
            scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
