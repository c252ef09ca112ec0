"""The contract of every kind of reader: one suite on a real pcscd, on nfcpy's PN532 driver, and simulated.

Each reader runs in its real process. Where a test waits for a fixed time, that time is the gesture: a hand that holds a
card, or takes it away for long enough.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hardware.health import Timeouts
from hardware.reader import Event, FieldClear, ReaderSpec, ReaderState, RefusedReason, Tap
from hardware.supervisor import Readers
from tests.components import demand_root_for_devices
from tests.hardware.conftest import QUICK, Log, StartReaders, wait_for_another, wait_for_state
from tests.hardware.rigs.processes import is_running, processes_of
from tests.hardware.rigs.stands import NfcpyStand, PcscStand, SimulatedStand, Stand
from tests.hardware.rigs.until import until

ANNA = bytes.fromhex("04A1B2C3D4E5F6")
BORA = bytes.fromhex("04112233445566")
PHONE = bytes.fromhex("08ABCDEF")
CUT_SHORT = bytes.fromhex("88041122")

OTHER = ReaderSpec("simulated", name="the other")

PARENT = """
import sys, threading
from hardware.reader import ReaderSpec, ReaderState
from hardware.supervisor import Readers
ready = threading.Event()
kind, name, path = sys.argv[1:]
spec = ReaderSpec(kind, name or None, path or None)
Readers([spec], print, lambda status: status[0].state is ReaderState.READY and ready.set()).start()
ready.wait()
print("ready", flush=True)
threading.Event().wait()
"""

FLICKER_S = 0.05
GAP_S = 1.0


@pytest.fixture(
    params=[
        pytest.param("pcsc", marks=[pytest.mark.pcscd, pytest.mark.xdist_group("pcscd")]),
        pytest.param("nfcpy", marks=pytest.mark.pty),
        "simulated",
    ]
)
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    made: Stand
    if request.param == "pcsc":
        made = PcscStand(request.getfixturevalue("pcscd"))
    elif request.param == "nfcpy":
        demand_root_for_devices()
        made = NfcpyStand()
    else:
        made = SimulatedStand()
    yield made
    made.close()


@pytest.fixture
def readers(stand: Stand, start: StartReaders) -> Readers:
    """The stand's reader, ready."""
    return at(stand, start(stand.spec))


def at(stand: Stand, readers: Readers) -> Readers:
    """Lets the hand of a simulated stand reach its reader."""
    if isinstance(stand, SimulatedStand):
        stand.readers = readers
    return readers


def process_of(spec: ReaderSpec) -> int:
    until(lambda: processes_of(spec), "the reader's process")
    (pid,) = processes_of(spec)
    return pid


def test_a_tap_is_reported_once_with_its_id_and_when_it_was(stand: Stand, readers: Readers, log: Log):
    before_ns = time.monotonic_ns()
    stand.put(ANNA)
    log.wait_for(1)
    stand.lift()
    (tap,) = log.taps
    assert log.cards() == [ANNA]
    assert before_ns < tap.at_mono_ns < time.monotonic_ns()
    assert tap.technology == "iso14443a"


def test_a_card_that_is_taken_away_and_held_again_is_two_taps(stand: Stand, readers: Readers, log: Log):
    stand.put(ANNA)
    log.wait_for(1)
    stand.lift()
    log.wait_for_clear()
    stand.put(ANNA)
    log.wait_for(2)
    assert log.cards() == [ANNA, ANNA]


def test_two_cards_in_a_row_are_two_taps_in_their_order(stand: Stand, readers: Readers, log: Log):
    for count, uid in enumerate([ANNA, BORA], 1):
        stand.put(uid)
        log.wait_for(count)
        stand.lift()
    assert log.cards() == [ANNA, BORA]


def test_a_card_that_lies_still_is_one_tap(stand: Stand, readers: Readers, log: Log):
    stand.put(ANNA)
    log.wait_for(1)
    time.sleep(1.5 * GAP_S)
    stand.lift()
    time.sleep(FLICKER_S)
    stand.put(BORA)
    log.wait_for(2)
    assert log.cards() == [ANNA, BORA]
    assert log.clears == 0


def test_the_field_is_clear_once_a_second_after_the_last_card_left(stand: Stand, readers: Readers, log: Log):
    for count, uid in enumerate([ANNA, PHONE], 1):
        stand.put(uid)
        log.wait_for(count)
    left_s = time.monotonic()
    stand.lift()
    log.wait_for_clear()
    assert time.monotonic() - left_s >= GAP_S - 0.1
    time.sleep(1.5 * GAP_S)
    assert log.events[2:] == [FieldClear(log.taps[0].reader)]


def test_a_card_that_goes_with_its_unplugged_reader_leaves_a_clear_field(stand: Stand, readers: Readers, log: Log):
    stand.put(ANNA)
    log.wait_for(1)
    stand.unplug()
    log.wait_for_clear()
    stand.plug()


def test_a_stop_leaves_no_field_open(stand: Stand, readers: Readers, log: Log):
    stand.put(ANNA)
    log.wait_for(1)
    readers.stop()
    assert log.clears == 1


def test_a_card_that_lies_through_a_restart_of_the_process_is_to_be_lifted_and_counts_then(
    stand: Stand, start: StartReaders, log: Log
):
    at(stand, start(stand.spec, timeouts=replace(QUICK, trouble_s=20.0)))  # a busy machine may start a process slowly
    stand.put(ANNA)
    log.wait_for(1)
    for count in (2, 3):
        victim = process_of(stand.spec)
        os.kill(victim, signal.SIGKILL)
        wait_for_another(stand.spec, victim)
        log.wait_for(count)
    assert log.clears == 0
    stand.lift()
    log.wait_for_clear()
    stand.put(ANNA)
    log.wait_for(4)
    assert log.cards() == [ANNA, RefusedReason.LIFT_AGAIN, RefusedReason.LIFT_AGAIN, ANNA]


def test_a_card_that_comes_while_the_process_is_replaced_is_to_be_held_again(stand: Stand, readers: Readers, log: Log):
    victim = process_of(stand.spec)
    os.kill(victim, signal.SIGKILL)
    stand.put(ANNA)
    log.wait_for(1)
    assert log.cards() == [RefusedReason.LIFT_AGAIN]


def test_a_card_that_is_taken_while_the_process_is_replaced_leaves_a_clear_field(
    stand: Stand, readers: Readers, log: Log
):
    stand.put(ANNA)
    log.wait_for(1)
    os.kill(process_of(stand.spec), signal.SIGKILL)
    stand.lift()
    log.wait_for_clear()
    # The new process may have been faster than the hand.
    assert log.cards() in ([ANNA], [ANNA, RefusedReason.LIFT_AGAIN])
    assert log.clears == 1


def test_a_card_that_lay_there_when_the_kiosk_started_is_to_be_held_again(
    stand: Stand, readers: Readers, start: StartReaders, log: Log
):
    stand.put(ANNA)
    log.wait_for(1)
    readers.stop()
    at(stand, start(stand.spec, ready=False))
    if isinstance(stand, SimulatedStand):
        stand.lies(ANNA)
    log.wait_for(2)
    assert log.cards() == [ANNA, RefusedReason.LIFT_AGAIN]


def test_a_card_that_lay_there_and_flickers_is_still_no_tap(stand: Stand, start: StartReaders, log: Log):
    at(stand, start(stand.spec, timeouts=replace(QUICK, trouble_s=20.0, relapses_to_faulty=99)))
    for _ in range(10):
        stand.put(ANNA)
        log.wait_for(1)
        victim = process_of(stand.spec)
        os.kill(victim, signal.SIGKILL)
        wait_for_another(stand.spec, victim)
        log.wait_for(2)
        left_s = time.monotonic()
        stand.lift()
        time.sleep(FLICKER_S)
        stand.put(ANNA)
        took_s = time.monotonic() - left_s
        time.sleep(2 * FLICKER_S)
        stand.lift()
        log.wait_for_clear()
        if took_s < GAP_S / 2:  # on a busy machine the flicker may be a real absence: then the test tries again
            assert log.cards() == [ANNA, RefusedReason.LIFT_AGAIN]
            return
        log.forget()
    pytest.fail("this machine is too busy to flicker")


def test_a_card_that_lies_on_a_reader_that_is_plugged_in_is_to_be_held_again(stand: Stand, readers: Readers, log: Log):
    stand.put(ANNA)
    log.wait_for(1)
    stand.unplug()
    until(lambda: readers.status()[0].state is ReaderState.ABSENT, "the reader is absent")
    stand.plug(lying=ANNA)
    log.wait_for(2)
    assert log.cards() == [ANNA, RefusedReason.LIFT_AGAIN]


def test_a_card_that_flickers_at_the_edge_of_the_field_is_one_tap(stand: Stand, readers: Readers, log: Log):
    for attempt in range(10):
        uid = ANNA[:-1] + bytes([attempt])
        stand.put(uid)
        log.wait_for(1)
        left_s = time.monotonic()
        stand.lift()
        time.sleep(FLICKER_S)
        stand.put(uid)
        time.sleep(FLICKER_S)
        stand.lift()
        took_s = time.monotonic() - left_s
        time.sleep(FLICKER_S)
        stand.put(BORA)
        until(lambda: BORA in log.cards(), "the next card")
        if took_s < GAP_S:  # on a busy machine the flicker may be a real absence: then the test tries again
            assert log.cards() == [uid, BORA]
            return
        stand.lift()
        log.wait_for_clear()
        log.forget()
    pytest.fail("this machine is too busy to flicker")


@pytest.mark.parametrize(
    ("uid", "reason"), [(PHONE, RefusedReason.PHONE), (CUT_SHORT, RefusedReason.NO_STABLE_ID)], ids=["phone", "cut"]
)
def test_an_id_that_names_nobody_is_refused_with_the_reason(
    stand: Stand, readers: Readers, log: Log, uid: bytes, reason: RefusedReason
):
    stand.put(uid)
    log.wait_for(1)
    stand.lift()
    time.sleep(FLICKER_S)
    stand.put(BORA)
    log.wait_for(2)
    assert log.cards() == [reason, BORA]


def test_a_reader_that_is_unplugged_says_so_and_works_again_when_it_is_back(stand: Stand, readers: Readers, log: Log):
    stand.unplug()
    until(lambda: readers.status()[0].state is ReaderState.ABSENT, "the reader is absent")
    assert readers.status()[0].detail
    stand.plug()
    wait_for_state(readers, ReaderState.READY)
    stand.put(ANNA)
    log.wait_for(1)
    assert log.cards() == [ANNA]


def test_a_killed_process_is_replaced_and_the_other_reader_never_notices(stand: Stand, start: StartReaders, log: Log):
    readers = at(stand, start(stand.spec, OTHER))
    victim, other = process_of(stand.spec), process_of(OTHER)
    os.kill(victim, signal.SIGKILL)
    wait_for_another(stand.spec, victim)
    wait_for_state(readers, ReaderState.READY, ReaderState.READY)
    stand.put(ANNA)
    log.wait_for(1)
    assert log.cards() == [ANNA]
    assert process_of(OTHER) == other
    assert {statuses[1].state for statuses in log.statuses} <= {ReaderState.STARTING, ReaderState.READY}


def test_a_process_that_falls_silent_is_killed_and_replaced(stand: Stand, start: StartReaders, log: Log):
    readers = at(stand, start(stand.spec, timeouts=Timeouts(idle_s=3.0)))
    silent = process_of(stand.spec)
    os.kill(silent, signal.SIGSTOP)
    wait_for_another(stand.spec, silent)
    wait_for_state(readers, ReaderState.READY)
    stand.put(ANNA)
    log.wait_for(1)
    assert log.cards() == [ANNA]


def test_a_killed_parent_leaves_no_process_behind(stand: Stand):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *[stand.spec.kind, stand.spec.name or "", stand.spec.path or ""]],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout
    assert parent.stdout.readline() == b"ready\n"
    (child,) = processes_of(stand.spec, parent.pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not is_running(child), "the reader's process is gone")


def test_stopping_leaves_no_process_behind_even_of_one_that_hangs(stand: Stand, start: StartReaders):
    readers = start(stand.spec)
    hanging = process_of(stand.spec)
    os.kill(hanging, signal.SIGSTOP)
    readers.stop()
    assert not is_running(hanging)
    assert processes_of(stand.spec) == []


def test_what_a_tap_leads_to_may_fail_and_the_next_card_is_read_all_the_same(
    stand: Stand, caplog: pytest.LogCaptureFixture
):
    seen: list[bytes] = []

    def fail(event: Event) -> None:
        if not isinstance(event, Tap):
            return
        seen.append(event.uid)
        raise ValueError(f"card {event.uid.hex()} is not wanted")

    readers = at(stand, Readers([stand.spec], fail, lambda _: None))
    readers.start()
    wait_for_state(readers, ReaderState.READY)
    for count, uid in enumerate([ANNA, BORA], 1):
        stand.put(uid)
        until(lambda count=count: len(seen) == count, "a tap")
        stand.lift()
    readers.stop()
    assert seen == [ANNA, BORA]
    assert "on_event failed: ValueError at" in caplog.text
    assert ANNA.hex() not in caplog.text.lower()


def test_no_id_of_a_card_is_said_anywhere_but_in_the_tap(
    stand: Stand, start: StartReaders, log: Log, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    readers = at(stand, start(stand.spec))
    stand.put(ANNA)
    log.wait_for(1)
    victim = process_of(stand.spec)
    os.kill(victim, signal.SIGKILL)
    wait_for_another(stand.spec, victim)
    said = f"{log.taps} {log.statuses} {readers.status()} {caplog.text}".lower()
    assert ANNA.hex() not in said
    assert repr(ANNA).lower() not in said
