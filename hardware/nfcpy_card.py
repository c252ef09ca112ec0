"""Reads one card that nfcpy's `sense` has found.

Its form is judged by the ATR that a PC/SC reader would show, so both kinds of reader accept the same cards.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import nfc.clf
import nfc.tag

from hardware.apdu import DIALOGUE_S, in_time, with_right_length
from hardware.atr import processor_atr, read_atr, storage_atr
from hardware.card import AroundDriverCall, Found, RefusedReason, Technology, Transmit, judge
from hardware.dialogue import identify
from hardware.form import AdmittedForm, CardForm, judge_form

_ANSWER_S = 0.25
# ISO 14443-3, 6.5.3 and 7.9.4: the card goes on with ISO 14443-4; with NFC-DEP it is a phone.
_SAK_PROCESSOR, _SAK_NFC_DEP = 0x20, 0x40
_ATQB_PROCESSOR = 0x01
# PC/SC part 3, supplement: standard bytes, and names by the SAK. Another SAK stands behind FF.
_TYPE_A, _TYPE_B, _FELICA = 0x03, 0x07, 0x11
_CHANGING = {RefusedReason.RANDOM_ID, RefusedReason.NO_STABLE_ID, RefusedReason.PHONE}
_NAMES = {0x08: 0x0001, 0x18: 0x0002, 0x00: 0x0003, 0x09: 0x0026}
_FELICA_NAME, _TOPAZ_NAME = 0x003B, 0x0030


def raw_id(target: Any) -> bytes:
    """The id that `sense` found, usable or not; empty where it found none."""
    for answer, where in (
        (target.sdd_res, slice(None)),
        (target.rid_res, slice(2, 6)),
        (target.sensb_res, slice(1, 5)),
    ):
        if answer:
            return bytes(answer[where])
    return bytes((target.sensf_res or b"")[1:9])


def keeps_id(target: Any) -> bool:
    """Whether the card shows this id at the next look too. `sense` switches the field off before each."""
    return judge(_technology(target), raw_id(target)) not in _CHANGING


def _technology(target: Any) -> Technology:
    if target.sensb_res:
        return Technology.ISO14443B
    return Technology.FELICA if target.sensf_res else Technology.ISO14443A


def find_card(
    frontend: Any, target: Any, driver_call: AroundDriverCall, admitted: Sequence[AdmittedForm] = ()
) -> Found:
    """The card that the target is, or why it cannot be used. `admitted`: the further forms that IT admits."""
    if not _is_processor(target):
        return judge_form(read_atr(_storage_atr(target), admitted), raw_id(target))
    until_s = time.monotonic() + DIALOGUE_S
    recorded = _Recorded(frontend)
    with driver_call():
        transmit = _activate(recorded, target)
    if transmit is None:
        return RefusedReason.UNREADABLE
    form = _processor_form(target, recorded.first_answer, admitted)
    return identify(form, lambda: raw_id(target), with_right_length(in_time(_reported(transmit, driver_call), until_s)))


def _is_processor(target: Any) -> bool:
    """Whether the card goes on with ISO 14443-4."""
    if target.sensb_res:
        return bool(target.sensb_res[10] & _ATQB_PROCESSOR)
    return bool(target.sel_res and target.sel_res[0] & _SAK_PROCESSOR)


def _storage_atr(target: Any) -> bytes:
    if target.sensf_res:
        return storage_atr(_FELICA, _FELICA_NAME)
    if target.sensb_res:
        return storage_atr(_TYPE_B, 0)
    if target.rid_res:
        return storage_atr(_TYPE_A, _TOPAZ_NAME)
    sak = target.sel_res[0]
    return storage_atr(_TYPE_A, _NAMES.get(sak, 0xFF00 | sak))


def _processor_form(target: Any, first_answer: bytes, admitted: Sequence[AdmittedForm]) -> CardForm:
    """The form of a processor card. The type is known here, where an ATR leaves it open."""
    if target.sensb_res:
        application_and_protocol, mbli = bytes(target.sensb_res[5:12]), first_answer[:1].ljust(1, b"\0")[0] & 0xF0
        atr = processor_atr(application_and_protocol + bytes([mbli]))
        return replace(read_atr(atr, admitted), technology=Technology.ISO14443B)
    form = read_atr(processor_atr(_historical(first_answer)), admitted)
    if target.sel_res[0] & _SAK_NFC_DEP:
        form = replace(form, if_random=RefusedReason.PHONE)
    return replace(form, technology=form.technology or Technology.ISO14443A)


def _historical(ats: bytes) -> bytes:
    """The historical bytes of an ATS, after the interface bytes that its byte T0 announces (ISO 14443-4, 5.2)."""
    interface_bytes = (ats[1] & 0x70).bit_count() if len(ats) > 1 else 0
    return ats[2 + interface_bytes : ats[0]][:15] if ats else b""


class _Recorded:
    """A frontend that keeps the first answer of a card: its ATS, or its answer to ATTRIB. nfcpy drops both."""

    def __init__(self, frontend: Any) -> None:
        self._frontend = frontend
        self.first_answer = b""

    def exchange(self, data: bytes, timeout: float) -> Any:
        answer = self._frontend.exchange(data, timeout)
        self.first_answer = self.first_answer or bytes(answer or b"")
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._frontend, name)


def _activate(frontend: Any, target: Any) -> Transmit | None:
    """Opens ISO 14443-4 with the card; None when it does not answer, or not in a way nfcpy understands."""
    try:
        tag = nfc.tag.activate(frontend, target)
    except IndexError:
        return None

    def transmit(command: bytes) -> bytes | None:
        try:
            return bytes(tag.transceive(command, timeout=_ANSWER_S))
        except (nfc.tag.TagCommandError, nfc.clf.CommunicationError):
            return None

    return transmit if tag else None


def _reported(transmit: Transmit, driver_call: AroundDriverCall) -> Transmit:
    def reported(command: bytes) -> bytes | None:
        with driver_call():
            return transmit(command)

    return reported
