"""Readers that nfcpy drives: its real PN532 driver on an emulated chip, and its driver over UDP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import termios
import time

import pytest

from hardware.card import RefusedReason, Technology, UnknownForm
from hardware.form import AdmittedForm
from hardware.nfcpy_reader import NfcpyReader
from hardware.reader import ReaderSpec, ReaderState, RefusedTap, Tap
from hardware.wire import Report
from tests.hardware.conftest import Log, StartReaders, wait_for_another, wait_for_state, wait_for_trouble
from tests.hardware.rigs.pn532 import EmulatedPn532, Exchange, Target, felica, iso_dep, type_1, type_a, type_b
from tests.hardware.rigs.processes import processes_of

ANNA = bytes.fromhex("04A1B2C3D4E5F6")
BORA = bytes.fromhex("04112233445566")
IDM = bytes.fromhex("0101010601B00ADE")
CSN = bytes.fromhex("1010012345678901")
PURSE = b"\x6f\x31\xb0\x2f" + bytes(4) + CSN + bytes(0x2F - 12) + b"\x90\x00"
PHONE_ATQA, DESFIRE_ATQA = b"\x00\x04", b"\x03\x44"
PROCESSOR = 0x20
SELECT_PPSE = bytes.fromhex("00A404000E325041592E5359532E444446303100")
SELECT_LDS = bytes.fromhex("00A4040C07A0000002471001")

PLAY_A_TAG = """
import sys
import nfc.clf
frontend = nfc.clf.ContactlessFrontend(sys.argv[1])
answer = bytearray(b"\\x01" + bytes.fromhex(sys.argv[2]) + bytes(8) + b"\\x12\\xfc")
frontend.listen(nfc.clf.LocalTarget("212F", sensf_res=answer), timeout=60.0)
"""

purse = iso_dep(lambda _: PURSE)
no_purse = iso_dep(lambda _: b"\x6a\x82")
silent = iso_dep(lambda _: None)
desfire = iso_dep(lambda _: None, ats=bytes.fromhex("067577810280"))  # a question would make it unreadable


def jcop(*selected: bytes) -> Exchange:
    """A processor card whose ATS names its chip, with these applications and no other."""
    ats = bytes.fromhex("0E78807002") + b"JCOP41V22"
    return iso_dep(lambda command: b"\x90\x00" if command in selected else b"\x6a\x82", ats)


def spec_of(chip: EmulatedPn532) -> ReaderSpec:
    return ReaderSpec("nfcpy", path=chip.path)


@pytest.mark.pty
@pytest.mark.parametrize(
    ("target", "card"),
    [
        (type_a(ANNA), (ANNA, "iso14443a")),
        (type_a(ANNA[:4]), (ANNA[:4], "iso14443a")),
        (type_a(ANNA, PROCESSOR, DESFIRE_ATQA, desfire), (ANNA, "iso14443a")),
        (type_a(ANNA, PROCESSOR, b"\x00\x44", no_purse), (ANNA, "iso14443a")),
        (type_1(ANNA[:4]), (ANNA[:4], "iso14443a")),
        (felica(IDM), (IDM, "felica")),
        (type_a(b"\x08abc", PROCESSOR, PHONE_ATQA, purse), (CSN, "ksx6924")),
        (type_b(b"abcd", blocks=purse), (CSN, "ksx6924")),
        (type_a(b"\x08abc", PROCESSOR, PHONE_ATQA, no_purse), RefusedReason.PHONE),
        (type_a(b"\x08abc", PROCESSOR, DESFIRE_ATQA, desfire), RefusedReason.RANDOM_ID),
        (type_a(ANNA[:4], PROCESSOR, PHONE_ATQA, jcop()), RefusedReason.UNKNOWN_FORM),
        (type_a(ANNA, PROCESSOR, PHONE_ATQA, jcop(SELECT_PPSE)), RefusedReason.BANK_CARD),
        (type_a(b"\x08abc", PROCESSOR, PHONE_ATQA, jcop(SELECT_LDS)), RefusedReason.PASSPORT),
        (type_a(b"\x08abc", PROCESSOR, PHONE_ATQA, jcop()), RefusedReason.RANDOM_ID),
        (type_a(b"\x08abc", PROCESSOR | 0x40, PHONE_ATQA, jcop()), RefusedReason.PHONE),
        (type_a(b"\x08abc", 0x40, PHONE_ATQA), RefusedReason.PHONE),
        (type_a(b"\x08abc"), RefusedReason.RANDOM_ID),
        (type_b(b"abcd", blocks=jcop(SELECT_PPSE)), RefusedReason.BANK_CARD),
        (type_a(ANNA, PROCESSOR, DESFIRE_ATQA, jcop(SELECT_PPSE)), RefusedReason.BANK_CARD),
        (felica(b"\x02\xfe" + IDM[2:]), RefusedReason.PHONE),
        (type_b(b"abcd", blocks=no_purse), RefusedReason.NO_STABLE_ID),
        (type_a(ANNA[:4], PROCESSOR, PHONE_ATQA, silent), RefusedReason.UNREADABLE),
        (type_a(ANNA[:4], PROCESSOR, PHONE_ATQA), RefusedReason.UNREADABLE),
        (type_a(ANNA[:4], PROCESSOR, PHONE_ATQA, iso_dep(lambda _: PURSE, ats=b"\x01")), RefusedReason.UNREADABLE),
        (type_a(bytes(4)), RefusedReason.UNREADABLE),
    ],
    ids=[
        "NTAG",
        "four bytes",
        "DESFire",
        "another processor card",
        "type 1",
        "FeliCa",
        "T-money in a phone",
        "T-money as type B",
        "phone",
        "DESFire with random ids",
        "a short id that nothing proves",
        "bank card",
        "passport",
        "a card with random ids",
        "a phone with NFC-DEP",
        "a phone with NFC-DEP alone",
        "a storage card with random ids",
        "bank card of type B",
        "bank card with the ATQA of DESFire",
        "FeliCa in a phone",
        "type B",
        "silent after it was chosen",
        "gone before it was chosen",
        "an answer to select that nfcpy cannot read",
        "only zeros",
    ],
)
def test_a_card_is_told_or_refused_for_what_it_is(
    chip: EmulatedPn532, start: StartReaders, log: Log, target: Target, card: tuple[bytes, str] | RefusedReason
):
    start(spec_of(chip))
    chip.put(target)
    log.wait_for(1)
    (tap,) = log.taps
    assert ((tap.uid, tap.technology) if isinstance(tap, Tap) else tap.reason) == card


@pytest.mark.pty
def test_it_sees_the_form_of_an_unknown_card(chip: EmulatedPn532, start: StartReaders, log: Log):
    start(spec_of(chip))
    chip.put(type_a(ANNA[:4], PROCESSOR, PHONE_ATQA, jcop()))
    log.wait_for(1)
    form = UnknownForm("3B8980014A434F50............", Technology.ISO14443A, 4)
    assert log.taps == [RefusedTap(chip.path, RefusedReason.UNKNOWN_FORM, form)]


@pytest.mark.pty
def test_a_form_that_it_admits_is_accepted(chip: EmulatedPn532, start: StartReaders, log: Log):
    form = AdmittedForm("3B8980014A434F50............", Technology.ISO14443A)
    start(ReaderSpec("nfcpy", path=chip.path, admitted=(form,)))
    chip.put(type_b(b"abcd", blocks=jcop()))
    log.wait_for(1)
    chip.put(type_a(ANNA[:4], PROCESSOR, PHONE_ATQA, jcop()))
    log.wait_for(2)
    assert log.cards() == [RefusedReason.NO_STABLE_ID, ANNA[:4]]


@pytest.mark.pty
def test_a_phone_that_shows_another_id_at_each_look_is_refused_once(chip: EmulatedPn532, start: StartReaders, log: Log):
    start(spec_of(chip))
    for last in range(8):
        chip.put(type_a(b"\x08ab" + bytes([last]), PROCESSOR, PHONE_ATQA, no_purse))
        if last == 0:
            log.wait_for(1)
        time.sleep(0.05)
    chip.put(type_a(ANNA))
    log.wait_for(2)
    assert log.cards() == [RefusedReason.PHONE, ANNA]


@pytest.mark.pty
def test_a_felica_card_that_lies_still_is_one_tap(chip: EmulatedPn532, start: StartReaders, log: Log):
    start(spec_of(chip))
    chip.put(felica(IDM))
    log.wait_for(1)
    time.sleep(0.8)
    chip.put(type_a(ANNA))
    log.wait_for(2)
    assert log.cards() == [IDM, ANNA]


@pytest.mark.pty
def test_a_chip_that_locks_up_is_faulty_and_works_after_its_power_was_cut(
    chip: EmulatedPn532, start: StartReaders, log: Log
):
    readers = start(spec_of(chip))
    chip.locked_up = True
    wait_for_trouble(readers)
    assert chip.path in readers.status()[0].detail
    chip.power_cycle()
    wait_for_state(readers, ReaderState.READY)
    chip.put(type_a(ANNA))
    log.wait_for(1)
    assert log.cards() == [ANNA]


@pytest.mark.pty
@pytest.mark.parametrize("cut_to", [2, 5, 8], ids=["in the preamble", "in the length", "in the data"])
def test_answers_that_are_cut_short_are_trouble_that_passes(
    chip: EmulatedPn532, start: StartReaders, log: Log, cut_to: int
):
    readers = start(spec_of(chip))
    chip.cut_to = cut_to
    wait_for_trouble(readers)
    chip.cut_to = None
    wait_for_state(readers, ReaderState.READY)
    chip.put(type_a(ANNA))
    log.wait_for(1)
    assert log.cards() == [ANNA]


@pytest.mark.pty
def test_answers_that_come_too_late_are_trouble_that_passes(chip: EmulatedPn532, start: StartReaders, log: Log):
    readers = start(spec_of(chip))
    chip.delay_s = 1.2
    wait_for_trouble(readers)
    chip.delay_s = 0.0
    wait_for_state(readers, ReaderState.READY)
    chip.put(type_a(ANNA))
    log.wait_for(1)
    assert log.cards() == [ANNA]


@pytest.mark.pty
def test_a_chip_that_a_killed_process_left_at_a_raised_speed_is_opened_again(
    chip: EmulatedPn532, start: StartReaders, log: Log
):
    readers = start(spec_of(chip))
    assert chip.speed == termios.B921600
    (victim,) = processes_of(spec_of(chip))
    os.kill(victim, signal.SIGKILL)
    wait_for_another(spec_of(chip), victim)
    wait_for_state(readers, ReaderState.READY)
    chip.put(type_a(ANNA))
    log.wait_for(1)
    assert log.cards() == [ANNA]


@pytest.mark.pty
def test_stopping_leaves_the_chip_awake_and_at_the_speed_it_is_opened_with(chip: EmulatedPn532, start: StartReaders):
    readers = start(spec_of(chip))
    readers.stop()
    assert (chip.speed, chip.powered_down) == (termios.B115200, False)


@pytest.mark.pty
def test_a_reader_that_was_closed_leaves_its_device_alone(chip: EmulatedPn532):
    reader = NfcpyReader(chip.path, "by hand", Report(os.open(os.devnull, os.O_WRONLY)))
    reader.step()
    assert chip.speed == termios.B921600
    reader.close()
    reader.step()
    reader.close()
    assert chip.speed == termios.B115200


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tty:NoSuchLine:pn532", "no reader answers at tty:NoSuchLine:pn532"),
        ("tty:null:pn532", "no reader answers at tty:null:pn532"),
        ("nonsense", "no reader answers at nonsense"),
    ],
)
def test_a_path_without_a_reader_is_absent(start: StartReaders, path: str, words: str):
    readers = start(ReaderSpec("nfcpy", path=path), ready=False)
    wait_for_state(readers, ReaderState.ABSENT)
    assert readers.status()[0].detail == words


def test_a_tag_that_another_nfcpy_plays_over_udp_is_read(start: StartReaders, log: Log):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        path = f"udp:localhost:{probe.getsockname()[1]}"
    start(ReaderSpec("nfcpy", name="by air", path=path))
    player = subprocess.Popen([sys.executable, "-c", PLAY_A_TAG, path, IDM.hex()])
    log.wait_for(1)
    player.kill()
    player.wait()
    assert log.cards("by air") == [IDM]
