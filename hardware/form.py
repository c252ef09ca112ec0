"""What the form of a card's answer proves about its id, before the card is asked anything.

A reader shows the form as an ATR. An id is used only where the form, or the form and the length of the id together,
prove that the card gives the same id each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hardware.card import Card, Found, RefusedReason, Technology, UnknownForm, judge

ANY_LENGTH = frozenset(range(1, 33))


@dataclass(frozen=True, slots=True)
class AdmittedForm:
    """A form that IT admits: a pattern of the ATR, and the technology of the ids.

    The pattern is upper-case hex, where `..` is any byte.
    """

    atr: str
    technology: Technology

    def matches(self, atr: bytes) -> bool:
        """Whether an ATR has this form."""
        pattern = [self.atr[at : at + 2] for at in range(0, len(self.atr), 2)]
        return len(pattern) == len(atr) and all(
            wanted in {"..", f"{byte:02X}"} for wanted, byte in zip(pattern, atr, strict=True)
        )


@dataclass(frozen=True, slots=True)
class CardForm:
    """The form of one card's answer.

    `technology` is None where the form does not say it. `lengths` are those of the ids that stay the same. A card that
    `may_be_transit` is asked for a purse. A card that `may_be_other` is asked whether it is a bank card or a passport.
    `if_random` is the reason for a random id. `like_type_b`: the form is that of an ATQB. `shown` is the ATR for IT.
    """

    technology: Technology | None
    lengths: frozenset[int] = ANY_LENGTH
    may_be_transit: bool = False
    may_be_other: bool = False
    if_random: RefusedReason = RefusedReason.RANDOM_ID
    like_type_b: bool = False
    shown: str = ""


def admitted_as(atr: bytes, admitted: Sequence[AdmittedForm]) -> Technology | None:
    """The technology as which IT admits this ATR; None for an ATR that is not admitted."""
    return next((form.technology for form in admitted if form.matches(atr)), None)


def judge_form(form: CardForm, uid: bytes) -> Found:
    """The card of this form with this id, or why it cannot be used."""
    technology = form.technology
    if technology is None and form.may_be_other and _is_makers(uid):
        technology = Technology.ISO14443A  # no other processor card has an id of this length
    if technology is None:
        return _judge_unknown(form, uid)
    judged = judge(technology, uid, if_random=form.if_random)
    if isinstance(judged, Card) and not _proves(form, uid):
        return UnknownForm(form.shown, technology, len(uid))
    return judged


def _proves(form: CardForm, uid: bytes) -> bool:
    return len(uid) in form.lengths and (not form.may_be_other or _is_makers(uid))


def _is_makers(uid: bytes) -> bool:
    """Whether the maker of the chip gave this id (ISO 14443-3, 6.5.4).

    An id of 7 or 10 bytes begins with the maker's code of ISO 7816-6. Codes from 81 on are private, and 08 begins a
    random id. A PUPI of type B has 4 bytes.
    """
    return len(uid) in {7, 10} and 0x01 <= uid[0] <= 0x7F and uid[0] != 0x08


def _judge_unknown(form: CardForm, uid: bytes) -> RefusedReason | UnknownForm:
    if form.like_type_b and len(uid) == 4:
        return RefusedReason.NO_STABLE_ID
    judged = judge(Technology.ISO14443A, uid, if_random=form.if_random)
    if isinstance(judged, Card) or len(uid) == 8:
        return UnknownForm(form.shown, None, len(uid))
    return judged
