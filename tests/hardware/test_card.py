"""Usable ids, the questions to a card, and the number of a transit card."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.atr import processor_atr, read_atr, storage_atr
from hardware.card import Card, Found, RefusedReason, Technology, body, judge
from hardware.dialogue import identify
from hardware.reader import Tap
from hardware.transit import read_transit_card, serial_number

A, B, FELICA, VICINITY = Technology.ISO14443A, Technology.ISO14443B, Technology.FELICA, Technology.ISO15693

GET_UID = bytes.fromhex("FFCA000000")
SELECT_T_MONEY = bytes.fromhex("00A4040007D410000003000100")
SELECT_CASHBEE = bytes.fromhex("00A4040007D410000014000100")
CSN = bytes.fromhex("1010012345678901")
# The file control information of KS X 6924: tag B0 is the purse, its bytes 4 to 11 are the card's serial number.
INSIDE = bytes.fromhex("8407D4100000030001" + "A504BF0C0100" + "B02F00100108") + CSN + bytes(0x2F - 12)
PURSE = b"\x6f" + bytes([len(INSIDE)]) + INSIDE
OK = b"\x90\x00"
NOT_FOUND = b"\x6a\x82"


@pytest.mark.parametrize(
    ("technology", "uid"),
    [
        (A, "04AABBCCDDEEFF"),
        (A, "01020304"),
        (A, "9F123456"),
        (A, "04AABBCCDDEEFF112233"),
        (A, "08112233445566"),  # any seven bytes are the maker's
        (FELICA, "0101010601B00ADE"),
        (VICINITY, "E004010012345678"),
        (Technology.KSX6924, CSN.hex()),
    ],
)
def test_an_id_that_stays_the_same_is_usable(technology: Technology, uid: str):
    assert judge(technology, bytes.fromhex(uid)) == Card(technology, bytes.fromhex(uid))


@pytest.mark.parametrize(
    ("technology", "uid", "reason"),
    [
        (A, "08ABCDEF", RefusedReason.RANDOM_ID),
        (FELICA, "01FE112233445566", RefusedReason.PHONE),
        (FELICA, "02FE112233445566", RefusedReason.PHONE),
        (A, "88041122", RefusedReason.NO_STABLE_ID),
        (A, "88041122334455", RefusedReason.NO_STABLE_ID),
        (B, "12345678", RefusedReason.NO_STABLE_ID),
        (B, "", RefusedReason.NO_STABLE_ID),
        (A, "", RefusedReason.UNREADABLE),
        (A, "040506", RefusedReason.UNREADABLE),
        (A, "0405060708", RefusedReason.UNREADABLE),
        (A, "00000000", RefusedReason.UNREADABLE),
        (A, "FFFFFFFFFFFFFF", RefusedReason.UNREADABLE),
        (FELICA, "0000000000000000", RefusedReason.UNREADABLE),
        (FELICA, "04AABBCCDDEEFF", RefusedReason.UNREADABLE),
        (A, "04AABBCCDDEEFF9000", RefusedReason.UNREADABLE),  # with its status bytes
    ],
)
def test_an_id_that_names_nobody_is_refused(technology: Technology, uid: str, reason: RefusedReason):
    assert judge(technology, bytes.fromhex(uid)) is reason


def test_a_random_id_is_a_phone_only_for_a_reader_that_knows_it():
    assert judge(A, bytes.fromhex("08ABCDEF"), if_random=RefusedReason.PHONE) is RefusedReason.PHONE


@given(st.sampled_from(Technology), st.binary(max_size=20))
def test_every_id_is_a_card_or_a_reason_and_a_card_keeps_it_whole(technology: Technology, uid: bytes):
    found = judge(technology, uid)
    assert found == Card(technology, uid) if isinstance(found, Card) else found in RefusedReason


@given(st.binary(min_size=4, max_size=10))
def test_no_id_stands_in_what_is_printed_of_a_card_or_a_tap(uid: bytes):
    printed = f"{Card(A, uid)!r} {Tap('r', uid, A, 0)!r}"
    assert uid.hex() not in printed
    assert repr(uid) not in printed


@pytest.mark.parametrize("answer", [None, b"", b"\x90", b"\x04\x05\x06\x07", b"\x04\x05\x63\x00"])
def test_an_answer_without_its_good_status_carries_nothing(answer: bytes | None):
    assert body(answer) is None


def test_an_answer_is_what_stands_before_its_status_even_if_that_ends_like_one():
    assert body(bytes.fromhex("04AA90009000")) == bytes.fromhex("04AA9000")


SELECT_WALLET = bytes.fromhex("00A404000A4F53452E5641532E303100")
SELECT_PPSE = bytes.fromhex("00A404000E325041592E5359532E444446303100")
SELECT_LDS = bytes.fromhex("00A4040C07A0000002471001")
SELECT_CARD_ACCESS = bytes.fromhex("00A4020C02011C")
UID, RANDOM = bytes.fromhex("04AABBCCDDEEFF"), bytes.fromhex("08ABCDEF")
JCOP = processor_atr(b"JCOP41V22")


def present(
    answers: Mapping[bytes, bytes | None], uid: bytes | None = UID, atr: bytes = JCOP
) -> tuple[Found, list[bytes]]:
    """The judgement on a card with these answers, and the commands that it got; GET_UID for its id."""
    commands: list[bytes] = []

    def transmit(command: bytes) -> bytes | None:
        commands.append(command)
        return answers.get(command, NOT_FOUND)

    def read_uid() -> bytes | None:
        commands.append(GET_UID)
        return uid

    return identify(read_atr(atr), read_uid, transmit), commands


def test_a_transit_card_is_known_by_its_serial_number_and_its_uid_is_not_even_asked_for():
    found, commands = present({SELECT_T_MONEY: PURSE + OK})
    assert found == Card(Technology.KSX6924, CSN)
    assert commands == [SELECT_T_MONEY]


def test_the_other_transit_card_is_known_too():
    found, commands = present({SELECT_CASHBEE: PURSE + OK})
    assert found == Card(Technology.KSX6924, CSN)
    assert commands == [SELECT_T_MONEY, SELECT_CASHBEE]


@pytest.mark.parametrize("silent", [SELECT_T_MONEY, SELECT_CASHBEE, SELECT_PPSE, SELECT_LDS, SELECT_CARD_ACCESS])
def test_a_card_taken_away_early_is_unreadable_and_never_known_by_its_uid(silent: bytes):
    found, _ = present({silent: None})
    assert found is RefusedReason.UNREADABLE


def test_a_card_without_an_id_is_unreadable():
    assert present({}, None)[0] is RefusedReason.UNREADABLE


def test_a_purse_without_a_number_is_no_way_to_know_a_card():
    found, _ = present({SELECT_T_MONEY: bytes.fromhex("6F028400") + OK})
    assert found is RefusedReason.NO_STABLE_ID


def test_a_processor_card_that_is_nothing_else_is_known_by_its_uid():
    found, commands = present({})
    assert found == Card(A, UID)
    assert commands == [SELECT_T_MONEY, SELECT_CASHBEE, GET_UID, SELECT_PPSE, SELECT_LDS, SELECT_CARD_ACCESS]


@pytest.mark.parametrize(
    "atr", [storage_atr(0x03, 0x0003), processor_atr(b"\x80"), processor_atr(bytes.fromhex("C1052F2F01BCD6"))]
)
def test_a_card_whose_form_proves_its_id_is_asked_nothing_else(atr: bytes):
    found, commands = present({}, atr=atr)
    assert (found, commands) == (Card(A, UID), [GET_UID])


@pytest.mark.parametrize("uid", [UID, RANDOM, bytes.fromhex("01020304")])
@pytest.mark.parametrize("answer", ["9000", "6F009000", "6110", "6283", "6310"])
@pytest.mark.parametrize(
    ("select", "reason"),
    [
        (SELECT_PPSE, RefusedReason.BANK_CARD),
        (SELECT_LDS, RefusedReason.PASSPORT),
        (SELECT_CARD_ACCESS, RefusedReason.PASSPORT),
    ],
)
def test_a_bank_card_and_a_passport_are_refused_as_such_whatever_their_id(
    select: bytes, reason: RefusedReason, answer: str, uid: bytes
):
    assert present({select: bytes.fromhex(answer)}, uid)[0] is reason


@pytest.mark.parametrize("answer", ["6A82", "6D00", "6E00", "6985", "6982", "00"])
def test_any_other_answer_is_a_no(answer: str):
    assert present(dict.fromkeys((SELECT_PPSE, SELECT_LDS, SELECT_CARD_ACCESS), bytes.fromhex(answer)))[0] == Card(
        A, UID
    )


def test_a_phone_with_a_wallet_is_a_phone_though_it_pays_like_a_bank_card():
    found, _ = present({SELECT_WALLET: OK, SELECT_PPSE: OK}, RANDOM)
    assert found is RefusedReason.PHONE


@pytest.mark.parametrize(
    ("purse", "number"),
    [
        (PURSE, CSN),
        (INSIDE, CSN),  # without the template around it
        (b"\x6f\x81" + PURSE[1:], CSN),  # a length of two bytes
        (b"\xb0\x0c" + bytes(4) + CSN, CSN),
        (b"\xb0\x0b" + bytes(4) + CSN[:7], None),
        (b"\xb0\x2f" + bytes(4) + CSN, None),  # shorter than its length
        (b"\xb0", None),
        (b"\xbf\x0c", None),
        (b"\xbf\x0c\x81", None),
        (b"", None),
    ],
)
def test_the_serial_number_is_found_in_the_purse_or_nowhere(purse: bytes, number: bytes | None):
    assert serial_number(purse) == number


@given(st.binary(max_size=80))
def test_any_answer_of_a_purse_is_read_without_an_error(answer: bytes):
    found = read_transit_card(lambda _: answer)
    assert found is None or isinstance(found, Card | RefusedReason)
