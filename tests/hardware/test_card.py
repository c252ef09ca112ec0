"""Usable ids, the facts in an ATR, and the number of a transit card."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.atr import UNKNOWN, AtrFacts, read_atr
from hardware.card import Card, RefusedReason, Technology, body, judge
from hardware.pcsc_card import identify
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


def storage(standard: int, name: int) -> bytes:
    """The ATR that a reader makes up for a storage card."""
    atr = bytes.fromhex("3B8F8001804F0CA000000306") + bytes([standard]) + name.to_bytes(2, "big") + bytes(4)
    return atr + bytes([xor(atr[1:])])


def xor(data: bytes) -> int:
    result = 0
    for byte in data:
        result ^= byte
    return result


@pytest.mark.parametrize(
    ("atr", "facts"),
    [
        ("3B8F8001804F0CA000000306030001000000006A", AtrFacts(A, processor=False)),  # MIFARE Classic 1K
        ("3B8F8001804F0CA0000003060300020000000069", AtrFacts(A, processor=False)),  # MIFARE Classic 4K
        ("3B8F8001804F0CA0000003060300030000000068", AtrFacts(A, processor=False)),  # Ultralight, NTAG
        ("3B8F8001804F0CA000000306030026000000004D", AtrFacts(A, processor=False)),  # MIFARE Mini
        ("3B8F8001804F0CA00000030611003B0000000042", AtrFacts(FELICA, processor=False)),
        ("3B8F8001804F0CA00000030603F011000000008A", AtrFacts(FELICA, processor=False)),  # FeliCa on an ACR122U
        ("3B8F8001804F0CA00000030603F0120000000089", AtrFacts(FELICA, processor=False)),  # the same at 424 kbit/s
        ("3B8F8001804F0CA0000003060B00140000000077", AtrFacts(VICINITY, processor=False)),  # ICODE SLI
        ("3B8F8001804F0CA0000003060600070000000069", AtrFacts(B, processor=False)),  # SRIX4K
        ("3B8180018080", AtrFacts(A, processor=True, desfire=True)),  # DESFire
        ("3B80800101", AtrFacts(A, processor=True)),  # a phone
        ("3B878001C1052F2F01BCD6A9", AtrFacts(A, processor=True)),  # MIFARE Plus
        ("3B88800100000000338181003A", AtrFacts(B, processor=True)),  # a type B passport
        ("3B6500002063CB6800", UNKNOWN),  # a contact card
        ("3B8F8001804F0CA000000306030001000000006B", UNKNOWN),  # a wrong check byte
        ("3B8F8001804F0CA00000030603000100", UNKNOWN),  # cut short
        ("3B8180028083", UNKNOWN),  # not the header of PC/SC part 3
        ("3B", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_an_atr_tells_technology_and_kind(atr: str, facts: AtrFacts):
    assert read_atr(bytes.fromhex(atr)) == facts


def test_the_application_id_is_found_wherever_it_stands():
    historical = b"\x80" + b"\x31\x01\x00" + b"\x4f\x08" + bytes.fromhex("A000000306110000")[:8]
    atr = bytes([0x3B, 0x80 | len(historical), 0x80, 0x01]) + historical
    assert read_atr(atr + bytes([xor(atr[1:])])) == AtrFacts(FELICA, processor=False)


@pytest.mark.parametrize(
    "historical",
    [
        "804F0CA000000307030001000000",  # another registered id
        "804F05A000000306",  # no standard, no name
        "804F0FA0000003060300010000",  # names a length beyond its end
        "804F",
    ],
)
def test_an_application_id_that_is_not_whole_names_no_storage_card(historical: str):
    data = bytes.fromhex(historical)
    atr = bytes([0x3B, 0x80 | len(data), 0x80, 0x01]) + data
    assert read_atr(atr + bytes([xor(atr[1:])])).processor


@given(st.binary(max_size=40))
def test_any_atr_is_read_without_an_error(atr: bytes):
    assert isinstance(read_atr(atr), AtrFacts)


@given(st.binary(max_size=15))
def test_an_atr_with_one_wrong_byte_is_not_trusted(historical: bytes):
    head = bytes([0x3B, 0x80 | len(historical), 0x80, 0x01]) + historical
    atr = head + bytes([xor(head[1:])])
    assert read_atr(atr) != UNKNOWN
    assert read_atr(atr[:-1] + bytes([atr[-1] ^ 1])) == UNKNOWN


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


def present(answers: Mapping[bytes, bytes | None]) -> tuple[Card | RefusedReason, list[bytes]]:
    """The judgement on a processor card with these answers, and the commands that it got."""
    commands: list[bytes] = []

    def transmit(command: bytes) -> bytes | None:
        commands.append(command)
        return answers.get(command, NOT_FOUND)

    return identify(AtrFacts(A, processor=True), transmit), commands


def test_a_transit_card_is_known_by_its_serial_number_and_its_uid_is_not_even_asked_for():
    found, commands = present({SELECT_T_MONEY: PURSE + OK, GET_UID: bytes.fromhex("01020304") + OK})
    assert found == Card(Technology.KSX6924, CSN)
    assert commands == [SELECT_T_MONEY]


def test_the_other_transit_card_is_known_too():
    found, commands = present({SELECT_CASHBEE: PURSE + OK})
    assert found == Card(Technology.KSX6924, CSN)
    assert commands == [SELECT_T_MONEY, SELECT_CASHBEE]


def test_a_transit_card_taken_away_early_is_unreadable_and_never_known_by_its_uid():
    found, _ = present({SELECT_T_MONEY: None, GET_UID: bytes.fromhex("01020304") + OK})
    assert found is RefusedReason.UNREADABLE


def test_a_purse_without_a_number_is_no_way_to_know_a_card():
    found, _ = present({SELECT_T_MONEY: bytes.fromhex("6F028400") + OK, GET_UID: bytes.fromhex("01020304") + OK})
    assert found is RefusedReason.NO_STABLE_ID


def test_a_processor_card_that_is_no_transit_card_is_known_by_its_uid():
    found, commands = present({GET_UID: bytes.fromhex("04AABBCCDDEEFF") + OK})
    assert found == Card(A, bytes.fromhex("04AABBCCDDEEFF"))
    assert commands == [SELECT_T_MONEY, SELECT_CASHBEE, GET_UID]


def test_a_storage_card_and_a_desfire_are_not_commands_for_a_purse():
    for facts in (AtrFacts(A, processor=False), AtrFacts(A, processor=True, desfire=True)):
        assert identify(facts, {GET_UID: bytes.fromhex("04AABBCCDDEEFF") + OK}.get) == Card(
            A, bytes.fromhex("04AABBCCDDEEFF")
        )


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
