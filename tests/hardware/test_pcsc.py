"""Readers behind a real pcscd: its cards, its restarts, and a card that hangs."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smartcard import scard

from hardware.atr import masked, processor_atr
from hardware.card import RefusedReason, Technology, UnknownForm
from hardware.form import AdmittedForm
from hardware.health import Timeouts
from hardware.pcsc import PcscReader, is_other_card
from hardware.pcsc_card import read_card
from hardware.pcsclite import PcscLite
from hardware.reader import OUT_OF_ORDER, ReaderSpec, ReaderState, RefusedTap, Tap
from hardware.wire import Report, State, decode
from tests.components import demand_pcscd
from tests.hardware.conftest import SHORT_DRIVER_CALL, Log, StartReaders, wait_for_another, wait_for_state
from tests.hardware.rigs import vpcd
from tests.hardware.rigs.processes import is_running, processes_of, stopped
from tests.hardware.rigs.until import until
from tests.hardware.rigs.vpcd import CardFace, Pcscd, card_with, hanging_card, storage_card

pytestmark = [pytest.mark.pcscd, pytest.mark.xdist_group("pcscd")]

ALL = ReaderSpec("pcsc")
ANNA = bytes.fromhex("04A1B2C3D4E5F6")
BORA = bytes.fromhex("04112233445566")
CSN = bytes.fromhex("1010012345678901")
OK = b"\x90\x00"
GET_SEVEN = vpcd.GET_UID[:-1] + b"\x07"
GET_RESPONSE = bytes.fromhex("00C0000007")

SELECT_PPSE = bytes.fromhex("00A404000E325041592E5359532E444446303100")
SELECT_LDS = bytes.fromhex("00A4040C07A0000002471001")
JCOP = processor_atr(b"JCOP41V22")
SELECT_T_MONEY = bytes.fromhex("00A4040007D410000003000100")
PURSE = b"\x6f\x31\xb0\x2f" + bytes(4) + CSN + bytes(0x2F - 12)


def transit_card(answers: Mapping[bytes, bytes]) -> CardFace:
    return card_with(vpcd.PHONE, answers)


@pytest.mark.parametrize(
    ("face", "card"),
    [
        (storage_card(ANNA, vpcd.MIFARE_CLASSIC_1K), (ANNA, "iso14443a")),
        (storage_card(ANNA, vpcd.DESFIRE), (ANNA, "iso14443a")),
        (storage_card(CSN, vpcd.FELICA), (CSN, "felica")),
        (transit_card({SELECT_T_MONEY: PURSE + OK, vpcd.GET_UID: b"\x08abc" + OK}), (CSN, "ksx6924")),
        (storage_card(b"\x08abc", vpcd.PHONE), RefusedReason.PHONE),
        (storage_card(b"\x08abc", vpcd.DESFIRE), RefusedReason.RANDOM_ID),
        (storage_card(b"abcd", vpcd.TYPE_B), RefusedReason.NO_STABLE_ID),
        (card_with(JCOP, {vpcd.GET_UID: ANNA + OK}), (ANNA, "iso14443a")),
        (card_with(JCOP, {vpcd.GET_UID: ANNA[:4] + OK}), RefusedReason.UNKNOWN_FORM),
        (card_with(JCOP, {SELECT_PPSE: OK, vpcd.GET_UID: ANNA + OK}), RefusedReason.BANK_CARD),
        (card_with(vpcd.TYPE_B, {SELECT_LDS: OK, vpcd.GET_UID: b"abcd" + OK}), RefusedReason.PASSPORT),
        (storage_card(ANNA + OK), RefusedReason.UNREADABLE),
        (card_with(vpcd.NTAG, {vpcd.GET_UID: b"\x6c\x07", GET_SEVEN: ANNA + OK}), (ANNA, "iso14443a")),
        (card_with(vpcd.NTAG, {vpcd.GET_UID: b"\x61\x07", GET_RESPONSE: ANNA + OK}), (ANNA, "iso14443a")),
        (CardFace(vpcd.NTAG, lambda _: b"\x61\x07"), RefusedReason.UNREADABLE),
        (CardFace(vpcd.NTAG, lambda _: b"\x6c\x07"), RefusedReason.UNREADABLE),
        (card_with(vpcd.NTAG, {vpcd.GET_UID: ANNA + b"\x63\x00"}), RefusedReason.UNREADABLE),
        (card_with(vpcd.NTAG, {vpcd.GET_UID: OK}), RefusedReason.UNREADABLE),
        (card_with(vpcd.NTAG, {vpcd.GET_UID: b"\x90"}), RefusedReason.UNREADABLE),
        (card_with(vpcd.NTAG, {}), RefusedReason.UNREADABLE),
    ],
    ids=[
        "MIFARE Classic",
        "DESFire",
        "FeliCa",
        "T-money in a phone",
        "phone",
        "DESFire with random ids",
        "type B",
        "a processor card with its maker's id",
        "a short id that nothing proves",
        "bank card",
        "passport of type B",
        "status bytes twice",
        "another length",
        "more to say",
        "always more to say",
        "always another length",
        "warning",
        "no id",
        "half a status",
        "no such command",
    ],
)
def test_a_card_is_told_or_refused_for_what_it_is(
    pcscd: Pcscd, start: StartReaders, log: Log, face: CardFace, card: tuple[bytes, str] | RefusedReason
):
    start(ALL)
    with pcscd.insert(face):
        log.wait_for(1)
    (tap,) = log.taps
    assert ((tap.uid, tap.technology) if isinstance(tap, Tap) else tap.reason) == card
    assert tap.reader == pcscd.readers[0]


def test_it_sees_the_form_of_an_unknown_card(pcscd: Pcscd, start: StartReaders, log: Log):
    start(ALL)
    with pcscd.insert(card_with(JCOP, {vpcd.GET_UID: ANNA[:4] + OK})):
        log.wait_for(1)
    form = UnknownForm("3B8980014A434F50............", None, 4)
    assert log.taps == [RefusedTap(pcscd.readers[0], RefusedReason.UNKNOWN_FORM, form)]


def test_a_form_that_it_admits_is_accepted(pcscd: Pcscd, start: StartReaders, log: Log):
    start(ReaderSpec("pcsc", admitted=(AdmittedForm(masked(JCOP), Technology.ISO14443A),)))
    with pcscd.insert(card_with(JCOP, {vpcd.GET_UID: ANNA[:4] + OK})):
        log.wait_for(1)
    assert log.cards() == [ANNA[:4]]


def test_every_reader_is_watched_when_none_is_named(pcscd: Pcscd, start: StartReaders, log: Log):
    readers = start(ALL)
    assert readers.status()[0].detail == ", ".join(pcscd.readers)
    with pcscd.insert(storage_card(ANNA), slot=0):
        log.wait_for(1)
        with pcscd.insert(storage_card(BORA), slot=1):
            log.wait_for(2)
    assert [log.cards(name) for name in pcscd.readers] == [[ANNA], [BORA]]


def test_a_named_reader_is_the_only_one_watched(pcscd: Pcscd, start: StartReaders, log: Log):
    start(ReaderSpec("pcsc", name=pcscd.readers[1]))
    with pcscd.insert(storage_card(ANNA), slot=0), pcscd.insert(storage_card(BORA), slot=1):
        log.wait_for(1)
    assert log.cards() == [BORA]


def test_a_name_that_fits_no_reader_is_absent_and_says_what_is_there(pcscd: Pcscd, start: StartReaders):
    readers = start(ReaderSpec("pcsc", name="ACR1252"), ready=False)
    wait_for_state(readers, ReaderState.ABSENT)
    assert readers.status()[0].detail == f"no reader named ACR1252 is attached; there is {', '.join(pcscd.readers)}"


def test_a_reader_that_two_names_fit_belongs_to_the_first_entry(pcscd: Pcscd, start: StartReaders, log: Log):
    first, second, third = pcscd.readers[0], "PCD 00", "Virtual PCD 00 00"
    readers = start(*[ReaderSpec("pcsc", name=name) for name in (first, second, third)], ready=False)
    wait_for_state(readers, ReaderState.READY, ReaderState.READY, ReaderState.ABSENT)
    assert [status.detail for status in readers.status()] == [*pcscd.readers, f"an earlier entry has {first}"]
    with pcscd.insert(storage_card(ANNA)):
        log.wait_for(1)
    log.wait_for_clear()
    assert log.cards() == [ANNA]


def test_no_reader_at_all_is_a_state_like_others(pcscd: Pcscd, start: StartReaders):
    pcscd.restart(plugged=False)
    readers = start(ALL, ready=False)
    wait_for_state(readers, ReaderState.ABSENT)
    assert readers.status()[0].detail == "no reader is attached"
    pcscd.restart()
    wait_for_state(readers, ReaderState.READY)


def test_a_step_in_which_nothing_happens_says_nothing(pcscd: Pcscd):
    read_end, write_end = os.pipe()
    reader = PcscReader(None, Report(write_end), wait_ms=20)
    for _ in range(3):
        reader.step()
    reader.close()
    os.close(write_end)
    with open(read_end, "rb") as lines:
        assert [decode(line) for line in lines] == [State(ReaderState.READY, ", ".join(pcscd.readers))]


def test_a_card_that_is_gone_before_it_is_read_is_unreadable(pcscd: Pcscd):
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    name = pcscd.readers[0].encode()
    assert read_card(PcscLite(), context, name, vpcd.NTAG, contextlib.nullcontext) is RefusedReason.UNREADABLE
    scard.SCardReleaseContext(context)


def test_pcscd_restarts_and_the_next_card_is_read(pcscd: Pcscd, start: StartReaders, log: Log):
    readers = start(ALL)
    for count, uid in enumerate([ANNA, BORA], 1):
        pcscd.stop()
        wait_for_state(readers, ReaderState.FAULTY)
        assert readers.status()[0].detail == "the smart card service pcscd does not answer"
        pcscd.start()
        wait_for_state(readers, ReaderState.READY)
        with pcscd.insert(storage_card(uid)):
            log.wait_for(count)
    assert log.cards() == [ANNA, BORA]


def test_a_pcscd_that_hangs_is_out_of_order_until_it_answers(pcscd: Pcscd, start: StartReaders, log: Log):
    readers = start(ALL)
    with pcscd.hung():
        wait_for_state(readers, ReaderState.FAULTY)
        until(lambda: "times in a row" in readers.status()[0].detail, "more than one process found it so")
    wait_for_state(readers, ReaderState.READY)
    with pcscd.insert(storage_card(ANNA)):
        log.wait_for(1)


def test_a_card_that_answers_slowly_and_never_ends_is_refused_while_it_lies_there(
    pcscd: Pcscd, start: StartReaders, log: Log
):
    def answers(_: bytes) -> bytes:
        time.sleep(1.2)
        return b"\x61\x07"

    start(ALL)
    (before,) = processes_of(ALL)
    with pcscd.insert(CardFace(JCOP, answers)):
        log.wait_for(1)
    assert log.cards() == [RefusedReason.UNREADABLE]
    assert processes_of(ALL) == [before]


def test_a_card_that_fails_at_first_is_read_again_while_it_lies_there(pcscd: Pcscd, start: StartReaders, log: Log):
    def answers(_: bytes) -> bytes:
        return ANNA + OK if log.taps else b"\x63\x00"

    start(ALL)
    with pcscd.insert(CardFace(vpcd.NTAG, answers)):
        log.wait_for(2)
    assert log.cards() == [RefusedReason.UNREADABLE, ANNA]


@pytest.fixture
def fuzzed(pcscd: Pcscd, start: StartReaders) -> Pcscd:
    start(ALL)
    return pcscd


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    atr=st.sampled_from([vpcd.NTAG, vpcd.PHONE, vpcd.TYPE_B, vpcd.DESFIRE]) | st.binary(min_size=2, max_size=33),
    replies=st.lists(st.binary(max_size=20) | st.sampled_from([OK, b"\x61\x00", b"\x6c\x00"]), min_size=1, max_size=6),
)
def test_no_answer_of_a_card_ends_the_process(fuzzed: Pcscd, log: Log, atr: bytes, replies: list[bytes]):
    before = processes_of(ALL)
    turns = itertools.cycle(replies)
    with fuzzed.insert(CardFace(atr, lambda _: next(turns))) as card:
        card.wait_until_noticed()
    assert processes_of(ALL) == before
    assert not {statuses[0].state for statuses in log.statuses} & OUT_OF_ORDER


def test_a_card_that_hangs_costs_its_own_reader_a_moment_and_the_other_nothing(
    pcscd: Pcscd, start: StartReaders, log: Log
):
    hanging, other = (ReaderSpec("pcsc", name=name) for name in pcscd.readers)
    readers = start(hanging, other, timeouts=SHORT_DRIVER_CALL)
    (victim,), (bystander,) = processes_of(hanging), processes_of(other)
    with pcscd.insert(hanging_card(), slot=0):
        with pcscd.insert(storage_card(ANNA), slot=1):
            log.wait_for(1)
        until(lambda: not is_running(victim), "the hanging process is killed")
        with pcscd.insert(storage_card(BORA), slot=1):
            log.wait_for(3)
    wait_for_another(hanging, victim)
    wait_for_state(readers, ReaderState.READY, ReaderState.READY)
    # The card blocks pcscd itself until it is removed, so pcscd may see the next card late.
    until(lambda: ANNA in log.cards(pcscd.readers[0]) or hold_a_card(pcscd), "the next card")
    assert [log.cards(name) for name in pcscd.readers] == [[RefusedReason.UNREADABLE, ANNA], [ANNA, BORA]]
    assert processes_of(other) == [bystander]


def test_a_reader_whose_cards_keep_hanging_is_degraded_until_one_is_read(pcscd: Pcscd, start: StartReaders, log: Log):
    readers = start(ALL, timeouts=replace(SHORT_DRIVER_CALL, unreadable_to_degraded=3))
    for count in range(1, 4):
        (victim,) = processes_of(ALL)
        with pcscd.insert(hanging_card()):
            until(lambda victim=victim: not is_running(victim), f"killed {count} times")
        wait_for_another(ALL, victim)
        if count < 3:
            wait_for_state(readers, ReaderState.READY)

    assert log.cards() == [RefusedReason.UNREADABLE] * 3
    wait_for_state(readers, ReaderState.DEGRADED)
    assert readers.status()[0].detail == f"the last 3 cards could not be read at {pcscd.readers[0]}"
    until(lambda: ANNA in log.cards() or hold_a_card(pcscd), "a card is read")
    wait_for_state(readers, ReaderState.READY)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("병원 리더기", "병원 리더기 00 00"), ("Caf\udce9", "Caf\\xe9 00 00")],
    ids=["Korean", "not UTF-8"],
)
def test_a_reader_of_any_name_works(
    tmp_path: Path, start: StartReaders, log: Log, monkeypatch: pytest.MonkeyPatch, name: str, shown: str
):
    demand_pcscd()
    with Pcscd(tmp_path, (name,)) as pcscd:
        monkeypatch.setenv(*pcscd.environment.popitem())
        readers = start(ReaderSpec("pcsc", name=shown))
        assert readers.status()[0].detail == shown
        with pcscd.insert(storage_card(ANNA)):
            log.wait_for(1)
    assert log.cards(shown) == [ANNA]


def test_as_many_slots_as_pcscd_takes_are_all_watched(
    tmp_path: Path, start: StartReaders, monkeypatch: pytest.MonkeyPatch
):
    demand_pcscd()
    with Pcscd(tmp_path, tuple(f"Device {letter}" for letter in "ABCDEFGH")) as pcscd:
        monkeypatch.setenv(*pcscd.environment.popitem())
        # Without a card: the virtual devices of one pcscd share their slots.
        assert start(ALL).status()[0].detail.count(", ") == 15


def test_more_slots_than_one_call_takes_are_asked_in_parts(pcscd: Pcscd):
    read_end, write_end = os.pipe()
    reader = PcscReader(None, Report(write_end), wait_ms=200, most=1)
    reader.step()
    with pcscd.insert(storage_card(ANNA), slot=0), pcscd.insert(storage_card(BORA), slot=1):
        for _ in range(5):
            reader.step()
    os.close(write_end)
    with open(read_end, "rb") as lines:
        taps = [tap.uid for tap in map(decode, lines) if isinstance(tap, Tap)]
    assert sorted(taps) == sorted([ANNA, BORA])


def test_a_card_that_another_program_holds_is_in_use_and_taps_once_it_is_let_go(
    pcscd: Pcscd, start: StartReaders, log: Log, caplog: pytest.LogCaptureFixture
):
    readers = start(ALL)
    with holding_alone(pcscd.readers[0]) as holder, contextlib.ExitStack() as reader:
        with stopped(processes_of(ALL)):  # for a moment: a process that is silent for long is started again
            reader.enter_context(pcscd.insert(storage_card(ANNA)))
            assert holder.stdout
            assert holder.stdout.readline() == b"held\n"
        log.wait_for(1)
        wait_for_state(readers, ReaderState.DEGRADED)
        holder.communicate()
        log.wait_for(2)
    assert log.cards() == [RefusedReason.IN_USE, ANNA]
    wait_for_state(readers, ReaderState.READY)
    (warning,) = [record.getMessage() for record in caplog.records if "exclusively" in record.getMessage()]
    assert f"another program held the last card at {pcscd.readers[0]} exclusively; PC/SC is used by " in warning
    assert f"({holder.pid})" in warning
    assert f"({os.getpid()})" not in warning
    assert not [pid for pid in processes_of(ALL) if f"({pid})" in warning]


HOLD_ALONE = """
import sys, time
from smartcard import scard
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
print("waits", flush=True)
held = 1
while held:
    held, card, _ = scard.SCardConnect(context, sys.argv[1], scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_PROTOCOL_T1)
    time.sleep(0.002)
print("held", flush=True)
sys.stdin.read()
scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
"""


@contextlib.contextmanager
def holding_alone(reader: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that takes the next card in a reader, and keeps it from all others until its input ends."""
    program = subprocess.Popen(
        [sys.executable, "-c", HOLD_ALONE, reader], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert program.stdout
        assert program.stdout.readline() == b"waits\n"
        yield program
    finally:
        program.kill()
        program.wait()


def hold_a_card(pcscd: Pcscd) -> None:
    """Inserts a card for a moment. A process that is still starting does not notice it."""
    with pcscd.insert(storage_card(ANNA)):
        time.sleep(0.1)
    time.sleep(1.1)


def test_a_hanging_card_does_not_keep_the_process_when_it_is_to_end(pcscd: Pcscd, start: StartReaders):
    called = threading.Event()

    def hang(_: bytes) -> None:
        called.set()

    readers = start(ALL, timeouts=Timeouts())
    with pcscd.insert(CardFace(vpcd.NTAG, hang)):
        assert called.wait(30.0)
        readers.stop()
        assert processes_of(ALL) == []


def test_stopping_does_not_wait_for_a_pcscd_that_takes_calls_and_never_answers(
    start: StartReaders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    demand_pcscd()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(tmp_path / "silent"))
        readers = start(ALL, ready=False)
        silent.accept()  # the call has come
        readers.stop()
        assert processes_of(ALL) == []


@pytest.mark.parametrize(
    ("before", "state", "other"),
    [
        (scard.SCARD_STATE_EMPTY, scard.SCARD_STATE_PRESENT | 0x10000, True),
        (scard.SCARD_STATE_EMPTY, scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_MUTE | 0x10000, True),
        (scard.SCARD_STATE_PRESENT | 0x10000, scard.SCARD_STATE_PRESENT | 0x30000, True),
        (
            scard.SCARD_STATE_PRESENT | 0x10000,
            scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_INUSE | 0x10000,
            False,
        ),
        (
            scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_MUTE | 0x10000,
            scard.SCARD_STATE_PRESENT | 0x10000,
            False,
        ),
    ],
    ids=["from empty", "mute from empty", "changed too fast", "in use", "no longer mute"],
)
def test_only_a_card_that_came_is_another_card(before: int, state: int, other: bool):
    assert is_other_card(before, state) is other


def test_a_pcscd_that_hangs_up_on_this_user_each_time_is_told_in_words(
    start: StartReaders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    demand_pcscd()
    with socket.socket(socket.AF_UNIX) as refusing:
        refusing.bind(str(tmp_path / "refusing"))
        refusing.listen()
        monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(tmp_path / "refusing"))
        threading.Thread(target=hang_up_on_everybody, args=(refusing,), daemon=True).start()
        readers = start(ALL, ready=False)
        wait_for_state(readers, ReaderState.FAULTY)
        until(lambda: readers.status()[0].detail.startswith("pcscd refuses this user"), "the refusal")
        assert readers.status()[0].detail == "pcscd refuses this user; on newer systems polkit has to allow it"


def hang_up_on_everybody(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.recv(1, socket.MSG_PEEK)  # unread bytes make the close a reset, like pcscd's refusal
            connection.close()
