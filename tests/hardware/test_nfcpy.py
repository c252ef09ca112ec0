"""Readers that nfcpy drives: its real PN532 driver on an emulated chip, and its driver over UDP."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.card import RefusedReason, Technology, UnknownForm
from hardware.form import AdmittedForm
from hardware.nfcpy_reader import NfcpyReader
from hardware.presence import GAP_NS
from hardware.reader import OUT_OF_ORDER, ReaderSpec, ReaderState, ReaderStatus, RefusedTap, Tap
from hardware.supervisor import Readers
from hardware.wire import Report
from tests.components import demand_root_for_devices
from tests.hardware.conftest import (
    QUICK,
    SHORT_DRIVER_CALL,
    Log,
    StartReaders,
    wait_for_another,
    wait_for_state,
    wait_for_trouble,
)
from tests.hardware.rigs.pn532 import EmulatedPn532, Exchange, Target, felica, iso_dep, type_1, type_a, type_b
from tests.hardware.rigs.processes import processes_of
from tests.hardware.rigs.until import until

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
        (type_a(b""), RefusedReason.UNREADABLE),
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
        "no id",
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
@pytest.mark.parametrize("of_type_b", [False, True], ids=["type A", "type B"])
def test_a_transit_card_that_lay_there_and_shows_another_id_at_each_look_is_no_tap(
    chip: EmulatedPn532, start: StartReaders, log: Log, of_type_b: bool
):
    def transit_card(last: int) -> Target:
        if of_type_b:
            return type_b(b"abc" + bytes([last]), blocks=purse)
        return type_a(b"\x08ab" + bytes([last]), PROCESSOR, PHONE_ATQA, purse)

    chip.put(transit_card(0))
    start(spec_of(chip))
    log.wait_for(1)
    for last in range(1, 8):
        chip.put(transit_card(last))
        looks = chip.looks
        until(lambda looks=looks: chip.looks > looks + 6, "looks at it")
    assert log.cards() == [RefusedReason.LIFT_AGAIN]
    chip.lift()
    log.wait_for_clear()
    chip.put(transit_card(0))
    log.wait_for(2)
    assert log.cards() == [RefusedReason.LIFT_AGAIN, CSN]


@pytest.mark.pty
def test_a_felica_card_that_lies_still_is_one_tap(chip: EmulatedPn532, start: StartReaders, log: Log):
    start(spec_of(chip))
    chip.put(felica(IDM))
    log.wait_for(1)
    time.sleep(1.5 * GAP_NS / 1e9)  # the hand: a card that was out of sight for the gap in between would be a new tap
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


def unanswered_at_first(blocks: Exchange, times: int = 1) -> Exchange:
    """The same card at the edge of the field, where it misses its first blocks."""
    left = [times]

    def answer(block: bytes) -> bytes | None:
        left[0] -= 1
        return None if left[0] >= 0 else blocks(block)

    return answer


@pytest.mark.pty
def test_a_card_that_misses_the_first_question_is_asked_again_while_it_lies_there(
    chip: EmulatedPn532, start: StartReaders, log: Log
):
    start(spec_of(chip))
    chip.put(type_a(b"\x08abc", PROCESSOR, PHONE_ATQA, unanswered_at_first(purse)))
    log.wait_for(2)
    assert log.cards() == [RefusedReason.UNREADABLE, CSN]


@pytest.mark.pty
def test_a_read_that_the_line_breaks_off_is_refused_and_tried_again_by_the_same_process(
    chip: EmulatedPn532, start: StartReaders, log: Log
):
    def damaged_once(block: bytes) -> bytes | None:
        if not log.taps:
            chip.damaged = 1
        return purse(block)

    readers = start(spec_of(chip))
    before = processes_of(spec_of(chip))
    chip.put(type_a(b"\x08abc", PROCESSOR, PHONE_ATQA, damaged_once))
    log.wait_for(2)
    assert log.cards() == [RefusedReason.UNREADABLE, CSN]
    assert processes_of(spec_of(chip)) == before
    assert [state.state for state in states_of(log)] == [ReaderState.READY]
    assert readers.status()[0].state is ReaderState.READY


@pytest.mark.pty
def test_cards_that_keep_a_dialogue_open_for_ever_are_refused_and_the_reader_stays_in_order(
    chip: EmulatedPn532, start: StartReaders, log: Log
):
    waits = iso_dep(lambda _: None)
    start(spec_of(chip), timeouts=replace(SHORT_DRIVER_CALL, trouble_s=20.0))
    for _ in range(3):
        (victim,) = processes_of(spec_of(chip))
        chip.put(type_a(ANNA, PROCESSOR, b"\x00\x44", lambda block: b"\xf2\x01" if block[0] != 0xE0 else waits(block)))
        wait_for_another(spec_of(chip), victim)
        until(lambda: log.cards()[-1:] == [RefusedReason.LIFT_AGAIN], "the next process sees that it still lies there")
        clears = log.clears
        chip.lift()
        log.wait_for_clear(clears + 1)
    # On a busy machine the driver itself may break a dialogue off, which is refused too and tried again.
    assert set(log.cards()) == {RefusedReason.UNREADABLE, RefusedReason.LIFT_AGAIN}
    assert not {status.state for status in states_of(log)} & OUT_OF_ORDER


@pytest.mark.pty
def test_a_damaged_frame_is_nothing_that_anybody_sees(chip: EmulatedPn532, start: StartReaders, log: Log):
    start(spec_of(chip))
    for count in range(1, 9):
        chip.damaged = 1
        looks = chip.looks
        until(lambda looks=looks: chip.looks > looks + 2, "looks after it")
        assert log.taps == []
        assert len(log.statuses) == 1, count
    chip.put(type_a(ANNA))
    log.wait_for(1)
    assert log.cards() == [ANNA]


@pytest.mark.pty
def test_a_chip_that_answers_no_look_is_faulty_until_it_does(chip: EmulatedPn532, start: StartReaders, log: Log):
    readers = start(spec_of(chip))
    chip.deaf = True
    wait_for_trouble(readers)
    chip.deaf = False
    wait_for_state(readers, ReaderState.READY)
    chip.put(type_a(ANNA))
    log.wait_for(1)


@pytest.mark.pty
def test_cards_that_cannot_be_read_make_a_degraded_reader_until_one_can(
    chip: EmulatedPn532, start: StartReaders, log: Log
):
    readers = start(spec_of(chip), timeouts=replace(QUICK, unreadable_to_degraded=2))
    for count in (1, 2):
        chip.put(type_a(ANNA, PROCESSOR, b"\x00\x44", silent))
        log.wait_for(count)
        chip.lift()
        log.wait_for_clear(count)
    wait_for_state(readers, ReaderState.DEGRADED)
    chip.put(type_a(ANNA))
    log.wait_for(3)
    wait_for_state(readers, ReaderState.READY)


def states_of(log: Log) -> list[ReaderStatus]:
    return [statuses[0] for statuses in log.statuses if statuses[0].state is not ReaderState.STARTING]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[tuple[EmulatedPn532, Log, Readers]]:
    demand_root_for_devices()
    log = Log()
    with EmulatedPn532() as chip:
        readers = Readers([spec_of(chip)], log.note, log.statuses.append, QUICK)
        readers.start()
        wait_for_state(readers, ReaderState.READY)
        yield chip, log, readers
        readers.stop()


answers = st.none() | st.binary(max_size=20) | st.sampled_from([b"\x05\x78\x80\x70\x02", b"\x02\x90\x00", b"\x00"])


@pytest.mark.pty
@settings(deadline=None, max_examples=40)
@given(
    modulation=st.sampled_from([0, 0, 0, 1, 3, 4]),
    found=st.binary(max_size=24)
    | st.builds(
        lambda sak, uid: b"\x00\x04" + sak + bytes([len(uid)]) + uid,
        st.binary(min_size=1, max_size=1),
        st.binary(max_size=10),
    ),
    replies=st.lists(answers, min_size=1, max_size=6),
)
def test_no_answer_of_a_card_ends_the_process(
    fuzzed: tuple[EmulatedPn532, Log, Readers], modulation: int, found: bytes, replies: list[bytes | None]
):
    chip, log, _ = fuzzed
    before = processes_of(spec_of(chip))
    turns = itertools.cycle(replies)
    looks = chip.looks
    chip.put(Target(modulation, found, lambda _: next(turns)))
    until(lambda: chip.looks > looks + 5, "some looks")
    chip.lift()
    assert processes_of(spec_of(chip)) == before
    assert not {status.state for status in states_of(log)} & OUT_OF_ORDER
