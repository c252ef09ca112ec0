"""The questions to a card that lies on a reader: transit card, bank card, passport, phone, or a card known by its id.

Each question costs some milliseconds, so a card whose form proves its id is asked nothing.
"""

from collections.abc import Callable

from hardware.card import Found, RefusedReason, Technology, Transmit, judge
from hardware.form import CardForm, judge_form
from hardware.transit import read_transit_card

# SELECT 2PAY.SYS.DDF01, which every contactless bank card answers (EMV Contactless Book B, 3.3).
_BANK = bytes.fromhex("00A404000E325041592E5359532E444446303100")
# ICAO 9303-10: SELECT of the LDS application; and of EF.CardAccess, which a document shows that hides the application
# until its holder's number is known.
_PASSPORT = bytes.fromhex("00A4040C07A0000002471001")
_CARD_ACCESS = bytes.fromhex("00A4020C02011C")
# SELECT OSE.VAS.01: the loyalty cards in the wallet of a phone or watch. No card of plastic has it.
_WALLET = bytes.fromhex("00A404000A4F53452E5641532E303100")
_OTHERS = (
    (_BANK, RefusedReason.BANK_CARD),
    (_PASSPORT, RefusedReason.PASSPORT),
    (_CARD_ACCESS, RefusedReason.PASSPORT),
)
# ISO 7816-4, 5.6: done, done with more to read, and done with a warning, such as for an application that is blocked.
_SELECTED = {0x90, 0x61, 0x62, 0x63}


def identify(form: CardForm, read_uid: Callable[[], bytes | None], transmit: Transmit) -> Found:
    """The card that answers: by its serial number if it is a transit card, else by its id where the form proves it."""
    if form.may_be_transit and (transit := read_transit_card(transmit)):
        return transit
    uid = read_uid()
    if uid is None:
        return RefusedReason.UNREADABLE
    if form.may_be_other and (other := _other_kind(uid, transmit)):
        return other
    return judge_form(form, uid)


def _other_kind(uid: bytes, transmit: Transmit) -> RefusedReason | None:
    """The kind of a card that is no hospital card; None for any other card."""
    is_random = judge(Technology.ISO14443A, uid) is RefusedReason.RANDOM_ID
    # A phone with a wallet answers as a bank card too, so this comes first. A fixed id is no phone's.
    questions = ((_WALLET, RefusedReason.PHONE), *_OTHERS) if is_random else _OTHERS
    for select, reason in questions:
        answer = transmit(select)
        if not answer:
            return RefusedReason.UNREADABLE
        if len(answer) >= 2 and answer[-2] in _SELECTED:
            return reason
    return None
