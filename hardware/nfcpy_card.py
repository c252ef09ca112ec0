"""Reads one card that nfcpy's `sense` has found."""

from typing import Any

import nfc.clf
import nfc.tag

from hardware.card import AroundDriverCall, Card, RefusedReason, Technology, Transmit, if_random, judge
from hardware.transit import read_transit_card

_ANSWER_S = 0.25
# ISO 14443-3, 6.5.3 and 7.9.4: the card goes on with ISO 14443-4.
_SAK_PROCESSOR = 0x20
_ATQB_PROCESSOR = 0x01
# The second byte of ATQA, which only MIFARE DESFire sets so.
_DESFIRE = 0x03


def raw_id(target: Any) -> bytes:
    """The id that `sense` found, usable or not."""
    for answer, where in (
        (target.sdd_res, slice(None)),
        (target.rid_res, slice(2, 6)),
        (target.sensb_res, slice(1, 5)),
    ):
        if answer:
            return bytes(answer[where])
    return bytes(target.sensf_res[1:9])


def find_card(frontend: Any, target: Any, driver_call: AroundDriverCall) -> Card | RefusedReason:
    """The card that the target is: by its serial number if it is a transit card, else by the id that `sense` found."""
    technology, processor, desfire = _facts(target)
    if processor and not desfire:
        with driver_call():
            transmit = _activate(frontend, target)
        if transmit is None:
            return RefusedReason.UNREADABLE
        if transit := read_transit_card(_reported(transmit, driver_call)):
            return transit
    return judge(technology, raw_id(target), if_random=if_random(desfire=desfire))


def _facts(target: Any) -> tuple[Technology, bool, bool]:
    """Technology, whether it is a processor card, and whether it is a DESFire."""
    if target.sensf_res:
        return Technology.FELICA, False, False
    if target.sensb_res:
        return Technology.ISO14443B, bool(target.sensb_res[10] & _ATQB_PROCESSOR), False
    if target.rid_res:
        return Technology.ISO14443A, False, False
    processor = bool(target.sel_res[0] & _SAK_PROCESSOR)
    return Technology.ISO14443A, processor, processor and target.sens_res[1] == _DESFIRE


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
