"""The form of a card's answer: what it proves, which forms of the public list are accepted, and what IT sees of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.atr import masked, processor_atr, read_atr, storage_atr
from hardware.card import Card, Found, RefusedReason, Technology, UnknownForm
from hardware.dialogue import identify
from hardware.form import AdmittedForm, CardForm, judge_form

A, B, FELICA, VICINITY = Technology.ISO14443A, Technology.ISO14443B, Technology.FELICA, Technology.ISO15693
NOT_FOUND, OK = b"\x6a\x82", b"\x90\x00"
PPSE, LDS = "00A404000E325041592E5359532E444446303100", "00A4040C07A0000002471001"
T_MONEY, CASHBEE = "00A4040007D410000003000100", "00A4040007D410000014000100"
CSN = bytes.fromhex("1010012345678901")
PURSE = b"\x6f\x0e\xb0\x0c\x00\x01\x01\x08" + CSN + OK
FIXED, DOUBLE, RANDOM, SHORT = (bytes.fromhex(uid) for uid in ("04AABBCC", "04AABBCCDDEEFF", "08ABCDEF", "01020304"))

FORMS = [
    line.split()
    for line in (Path(__file__).parent / "card_forms.txt").read_text("ascii").splitlines()
    if not line.startswith("#")
]


def of_kind(*kinds: str) -> list[bytes]:
    forms = [bytes.fromhex(atr) for atr, kind in FORMS if kind in kinds]
    assert forms
    return forms


def found(atr: bytes, uid: bytes, answers: dict[str, bytes] | None = None) -> Found:
    """The judgement on a card of this form with this id that finds nothing but these answers."""
    by_command = {bytes.fromhex(command): answer for command, answer in (answers or {}).items()}
    return identify(read_atr(atr), lambda: uid, lambda command: by_command.get(command, NOT_FOUND))


# The public list.


@pytest.mark.parametrize(
    ("kinds", "uids", "technology"),
    [
        (["storage_a"], [FIXED, DOUBLE], A),
        (["desfire"], [DOUBLE], A),
        (["mifare_plus"], [FIXED, DOUBLE], A),
        (["felica"], [CSN], FELICA),
        (["iso15693"], [CSN], VICINITY),
    ],
)
def test_cards_for_which_the_form_proves_a_stable_id_are_known_by_it(
    kinds: list[str], uids: list[bytes], technology: Technology
):
    judged = {(atr.hex(), uid): found(atr, uid) for atr in of_kind(*kinds) for uid in uids}
    assert judged == {(atr, uid): Card(technology, uid) for atr, uid in judged}


@pytest.mark.parametrize("uid", [SHORT, RANDOM, FIXED, CSN], ids=lambda uid: uid.hex())
def test_no_type_b_card_bank_card_passport_or_unknown_card_is_known_by_an_id_that_nothing_proves(uid: bytes):
    judged = [found(atr, uid) for atr in of_kind("type_b", "storage_b", "bank", "passport", "transit", "other")]
    assert not [card for card in judged if isinstance(card, Card)]


def test_a_type_b_form_says_that_its_id_may_change():
    assert {found(atr, SHORT) for atr in of_kind("type_b", "storage_b")} == {RefusedReason.NO_STABLE_ID}


@pytest.mark.parametrize("uid", [SHORT, RANDOM, DOUBLE], ids=["type B", "random", "double size"])
@pytest.mark.parametrize(
    ("kind", "command", "reason"),
    [("bank", PPSE, RefusedReason.BANK_CARD), ("passport", LDS, RefusedReason.PASSPORT)],
)
def test_a_bank_card_and_a_passport_are_called_what_they_are(
    kind: str, command: str, reason: RefusedReason, uid: bytes
):
    assert {found(atr, uid, {command: OK}) for atr in of_kind(kind)} == {reason}


def test_a_transit_card_of_any_form_is_known_by_its_serial_number():
    asked = of_kind("transit", "type_b", "bank", "passport")
    assert {found(atr, RANDOM, {T_MONEY: PURSE}) for atr in asked} == {Card(Technology.KSX6924, CSN)}
    assert {found(atr, RANDOM, {CASHBEE: PURSE}) for atr in asked} == {Card(Technology.KSX6924, CSN)}


def test_a_processor_card_with_an_id_of_its_maker_is_a_type_a_card():
    """Its length proves it: a PUPI has four bytes."""
    assert {found(atr, DOUBLE) for atr in of_kind("other") if read_atr(atr).may_be_other} == {Card(A, DOUBLE)}


@pytest.mark.parametrize("first", [0x00, 0x08, 0x81, 0x88, 0xFE])
def test_a_long_id_that_no_maker_gave_proves_nothing(first: int):
    uid = bytes([first]) + DOUBLE[1:]
    assert not isinstance(found(processor_atr(b"JCOP41V22"), uid), Card)


# One form at a time.


@pytest.mark.parametrize(
    ("atr", "technology"),
    [
        ("3B8F8001804F0CA000000306030001000000006A", A),  # MIFARE Classic 1K
        ("3B8F8001804F0CA0000003060300030000000068", A),  # Ultralight, NTAG
        ("3B8F8001804F0CA00000030611003B0000000042", FELICA),
        ("3B8F8001804F0CA00000030603F011000000008A", FELICA),  # FeliCa on an ACR122U
        ("3B8F8001804F0CA00000030603F0120000000089", FELICA),  # the same at 424 kbit/s
        ("3B8F8001804F0CA0000003060B00140000000077", VICINITY),  # ICODE SLI
        ("3B8F8001804F0CA0000003060600070000000069", B),  # SRIX4K
        ("3B8180018080", A),  # DESFire, NTAG 424 DNA
        ("3B80800101", None),  # a phone, or type B
        ("3B88800100000000338181003A", None),
        ("3B6500002063CB6800", None),  # a contact card
        ("3B8F8001804F0CA000000306030001000000006B", None),  # a wrong check byte
        ("3B8F8001804F0CA00000030603000100", None),  # cut short
        ("3B8180028083", None),  # not the header of PC/SC part 3
        ("3B", None),
        ("", None),
    ],
)
def test_an_atr_tells_the_technology_where_it_can(atr: str, technology: Technology | None):
    assert read_atr(bytes.fromhex(atr)).technology == technology


def test_the_application_id_is_found_wherever_it_stands():
    historical = b"\x80" + b"\x31\x01\x00" + b"\x4f\x08" + bytes.fromhex("A000000306110000")
    assert read_atr(processor_atr(historical)).technology is FELICA


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
    assert read_atr(processor_atr(bytes.fromhex(historical))).may_be_transit


@given(st.binary(max_size=40), st.binary(max_size=20))
def test_any_atr_and_any_id_are_judged_without_an_error(atr: bytes, uid: bytes):
    judged = judge_form(read_atr(atr), uid)
    assert isinstance(judged, Card | RefusedReason | UnknownForm)


@given(st.binary(max_size=15))
def test_an_atr_with_one_wrong_byte_is_not_trusted(historical: bytes):
    atr = processor_atr(historical)
    assert read_atr(atr).lengths
    wrong = read_atr(atr[:-1] + bytes([atr[-1] ^ 1]))
    assert (wrong.technology, wrong.may_be_other, wrong.may_be_transit) == (None, False, False)


@pytest.mark.parametrize(
    ("atr", "reason"),
    [
        (processor_atr(b""), RefusedReason.PHONE),  # host card emulation: no historical bytes
        (storage_atr(0x03, 0xFF40), RefusedReason.PHONE),  # NFC-DEP on a reader of ACS
        (processor_atr(b"\x80"), RefusedReason.RANDOM_ID),  # DESFire
        (processor_atr(b"JCOP41V22"), RefusedReason.RANDOM_ID),
        (storage_atr(0x03, 0x0001), RefusedReason.RANDOM_ID),
        (storage_atr(0x03, 0xFF88), RefusedReason.RANDOM_ID),
    ],
)
def test_a_random_id_is_called_a_phone_only_where_the_form_is_a_phones(atr: bytes, reason: RefusedReason):
    assert found(atr, RANDOM) is reason


@pytest.mark.parametrize("uid", [b"", b"\x04\x05\x06", bytes(7), b"\xff" * 4])
@pytest.mark.parametrize("atr", [storage_atr(0x03, 0x0001), processor_atr(b"\x80"), processor_atr(b"JCOP41V22")])
def test_an_id_that_is_none_is_unreadable_in_every_form(atr: bytes, uid: bytes):
    assert found(atr, uid) is RefusedReason.UNREADABLE


# What IT sees.


def test_it_sees_the_form_of_an_unknown_card_and_nothing_of_its_id():
    assert found(processor_atr(b"JCOP41V22"), SHORT) == UnknownForm("3B8980014A434F50............", None, 4)
    assert SHORT.hex() not in repr(found(processor_atr(b"JCOP41V22"), SHORT))


@pytest.mark.parametrize(
    ("historical", "shown"),
    [
        ("804F0CA00000030603000100000000", "804F0CA000000306030001........"),  # a storage card: its name
        ("500102030400000000B37171", "50......................"),  # a whole ATQB: the PUPI
        ("31CCCC017781C100", "........7781C100"),  # application data of an ATQB
        ("805A080303000000015243218290", "805A0803...................."),  # Calypso: a serial number
        ("0443FD0101010601B00ADEFF", "04......................"),  # an IDm
        ("4A434F503431563232", "4A434F50.........."),  # text
        ("012345678901", "01.........."),
        ("8031", "80.."),
    ],
)
def test_every_byte_that_could_be_of_an_id_is_hidden(historical: str, shown: str):
    assert masked(processor_atr(bytes.fromhex(historical)))[8:-2] == shown
    assert masked(processor_atr(bytes.fromhex(historical)))[-2:] == "..", "the check byte would tell a hidden one"


@pytest.mark.parametrize("atr", ["3B80800101", "3B8180018080"])
def test_a_form_without_a_byte_to_hide_is_shown_whole(atr: str):
    assert masked(bytes.fromhex(atr)) == atr


def test_of_an_atr_that_is_none_of_a_contactless_card_the_beginning_is_shown():
    assert masked(bytes.fromhex("3B6500002063CB6800")) == "3B65.............."
    assert masked(b"") == ""


@given(st.binary(max_size=40))
def test_what_is_shown_of_a_form_is_a_pattern_that_admits_it(atr: bytes):
    assert AdmittedForm(masked(atr), A).matches(atr)


@pytest.mark.parametrize("atr", of_kind("type_b"), ids=lambda atr: atr.hex())
def test_a_pupi_in_an_atr_is_hidden(atr: bytes):
    assert "01020304" not in masked(atr)
    assert "..".join("0102") not in masked(atr)


# Forms that IT admits.

UNKNOWN = processor_atr(b"JCOP41V22")


def admitted(atr: bytes, pattern: str, technology: Technology) -> CardForm:
    return read_atr(atr, [AdmittedForm(pattern, technology)])


@pytest.mark.parametrize("pattern", [UNKNOWN.hex().upper(), masked(UNKNOWN)])
def test_an_admitted_form_makes_its_id_usable(pattern: str):
    form = admitted(UNKNOWN, pattern, A)
    assert judge_form(form, FIXED) == Card(A, FIXED)
    assert not form.may_be_other


def test_an_admitted_form_still_goes_through_the_checks_of_length_and_of_random_ids():
    form = admitted(UNKNOWN, masked(UNKNOWN), A)
    assert judge_form(form, RANDOM) is RefusedReason.RANDOM_ID
    assert judge_form(form, b"\x88" + FIXED[1:]) is RefusedReason.NO_STABLE_ID
    assert judge_form(form, CSN) is RefusedReason.UNREADABLE
    assert form.may_be_transit, "a transit card is still known by its serial number"


@pytest.mark.parametrize(
    "pattern", [UNKNOWN.hex().upper()[:-2], UNKNOWN.hex().upper() + "..", "3B8980014A434F51............", ""]
)
def test_another_form_is_not_admitted(pattern: str):
    assert isinstance(judge_form(admitted(UNKNOWN, pattern, A), FIXED), UnknownForm)


def test_a_form_that_says_its_technology_keeps_it():
    felica = storage_atr(0x11, 0x003B)
    assert judge_form(admitted(felica, felica.hex().upper(), A), CSN) == Card(FELICA, CSN)


def test_a_storage_card_of_no_standard_can_be_admitted():
    atr = storage_atr(0x00, 0x0000)
    assert judge_form(read_atr(atr), CSN) == UnknownForm("3B8F8001804F0CA000000306000000..........", None, 8)
    assert judge_form(admitted(atr, masked(atr), VICINITY), CSN) == Card(VICINITY, CSN)
