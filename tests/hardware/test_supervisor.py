"""The readers as the rest of the kiosk uses them: gestures and their results, states, starting and stopping."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.card import Technology, judge
from hardware.gesture import Gesture, GestureReply, GestureResult
from hardware.health import Timeouts
from hardware.process import ProcessEnded, ReaderProcess
from hardware.reader import ReaderSpec, ReaderState, RefusedReason, RefusedTap, Tap
from hardware.supervisor import Readers
from hardware.wire import Heartbeat
from tests.hardware.conftest import QUICK, Log, StartReaders, wait_for_another, wait_for_state
from tests.hardware.rigs.processes import processes_of
from tests.hardware.rigs.until import until

DESK = ReaderSpec("simulated", name="desk")
ANNA = bytes.fromhex("04A1B2C3D4E5F6")
PHONE = bytes.fromhex("08ABCDEF")


def test_a_presented_card_has_been_dealt_with_when_the_result_is_there():
    dealt_with = []

    def deal_with(tap: Tap | RefusedTap) -> str:
        time.sleep(0.05)
        dealt_with.append(tap)
        return "committed"

    readers = Readers([DESK], deal_with, lambda _: None)
    readers.start()
    assert readers.present(ANNA) == GestureReply(GestureResult.TAPPED, outcome="committed")
    assert len(dealt_with) == 1
    assert readers.present(PHONE) == GestureReply(GestureResult.REFUSED, RefusedReason.PHONE, "committed")
    assert len(dealt_with) == 2
    readers.stop()


def test_the_same_card_at_once_is_debounced_and_nobody_is_told(start: StartReaders, log: Log):
    readers = start(DESK)
    readers.gesture(Gesture.PUT, ANNA)
    assert readers.present(ANNA) == GestureReply(GestureResult.DEBOUNCED)
    assert log.cards() == [ANNA]


# With short names: the name of a test is in the environment of every process that it starts.
@pytest.mark.parametrize(
    "uid",
    [b"", b"\x04", bytes(7), bytes(range(4, 9)), b"\x04" * 1_000_000],
    ids=["none", "one byte", "nought", "five bytes", "a million"],
)
def test_an_id_of_any_size_and_shape_is_refused_in_good_order(start: StartReaders, log: Log, uid: bytes):
    readers = start(DESK)
    assert readers.present(uid) == GestureReply(GestureResult.REFUSED, RefusedReason.UNREADABLE)
    assert readers.present(ANNA).result is GestureResult.TAPPED
    assert log.cards() == [RefusedReason.UNREADABLE, ANNA]


@pytest.fixture(scope="module")
def desk() -> Iterator[Readers]:
    readers = Readers([ReaderSpec("simulated", name="module desk")], lambda tap: tap, lambda _: None)
    readers.start()
    yield readers
    readers.stop()


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uid=st.binary(max_size=40), technology=st.sampled_from(Technology))
def test_the_simulated_reader_judges_every_id_as_the_real_ones_do(desk: Readers, uid: bytes, technology: Technology):
    presented = desk.present(uid, technology)
    expected = judge(technology, uid, if_random=RefusedReason.PHONE)
    if presented.result is GestureResult.TAPPED:
        assert isinstance(presented.outcome, Tap)
        assert (presented.outcome.uid, presented.outcome.technology) == (uid, technology)
        assert not isinstance(expected, RefusedReason)
    elif presented.result is GestureResult.REFUSED:
        assert presented.outcome == RefusedTap("module desk", presented.reason)
        assert presented.reason is expected
    else:
        assert presented.result is GestureResult.DEBOUNCED


def test_without_a_simulated_reader_nothing_can_be_presented(start: StartReaders):
    readers = start()
    assert readers.present(ANNA).result is GestureResult.NO_READER
    assert readers.status() == ()


def test_an_unplugged_reader_takes_no_card(start: StartReaders, log: Log):
    readers = start(DESK)
    assert readers.gesture(Gesture.UNPLUG).result is GestureResult.DONE
    presented = readers.present(ANNA)
    assert (presented.result, presented.detail) == (GestureResult.NOT_READY, "the simulated reader is unplugged")
    assert log.taps == []


def test_a_card_may_be_presented_while_the_reader_is_still_starting(log: Log):
    readers = Readers([DESK], log.note, log.statuses.append)
    readers.start()
    assert readers.present(ANNA).result is GestureResult.TAPPED
    readers.stop()
    assert [statuses[0].state for statuses in log.statuses] == [ReaderState.READY]


def test_before_the_start_and_after_the_stop_no_card_is_taken(log: Log):
    readers = Readers([DESK], log.note, log.statuses.append)
    assert readers.status()[0].state is ReaderState.STARTING
    assert readers.present(ANNA, timeout_s=0.01).result is GestureResult.NOT_READY
    readers.start()
    assert readers.present(ANNA).result is GestureResult.TAPPED
    readers.stop()
    assert readers.present(ANNA).result is GestureResult.NOT_READY


def test_who_presents_a_card_does_not_wait_for_ever():
    go_on = threading.Event()
    readers = Readers([DESK], lambda _: go_on.wait(30.0), lambda _: None)
    readers.start()
    wait_for_state(readers, ReaderState.READY)
    presented = readers.present(ANNA, timeout_s=0.2)
    assert (presented.result, presented.detail) == (GestureResult.TIMED_OUT, "there was no answer within 0.2 s")
    go_on.set()
    assert readers.present(PHONE).result is GestureResult.REFUSED  # no caller gets the late answer to the first
    readers.stop()


def test_what_a_presented_card_leads_to_may_fail_and_that_is_the_result():
    def fail(_: Tap | RefusedTap) -> None:
        raise OSError("disk full")

    readers = Readers([DESK], fail, lambda _: None)
    readers.start()
    assert readers.present(ANNA).result is GestureResult.FAILED
    readers.stop()


def test_who_waits_for_a_card_is_told_when_the_process_dies_or_the_readers_stop():
    for end in ("kill", "stop"):
        held, go_on = threading.Event(), threading.Event()

        def hold(_: object, held: threading.Event = held, go_on: threading.Event = go_on) -> None:
            held.set()
            go_on.wait(30.0)

        readers = Readers([DESK], hold, lambda _: None, QUICK)
        readers.start()
        results: list[GestureReply] = []
        waiting = threading.Thread(target=lambda: results.append(readers.present(ANNA)))  # noqa: B023
        waiting.start()
        assert held.wait(30.0)
        if end == "kill":
            # The answer is in the pipe by now. The reply after the handling of the card is lost.
            os.kill(processes_of(DESK)[0], signal.SIGSTOP)
            os.kill(processes_of(DESK)[0], signal.SIGKILL)
        else:
            readers.stop(0.1)
        go_on.set()
        waiting.join(30)
        readers.stop()
        assert results[0].result in {GestureResult.NOT_READY, GestureResult.TAPPED}


def test_many_hands_at_once_get_each_their_own_answer(start: StartReaders, log: Log):
    readers = start(DESK)
    results: dict[int, GestureReply] = {}

    def present(number: int) -> None:
        results[number] = readers.present(bytes([4, number, 0, 0, 0, 0, 1]) if number % 2 else bytes([8, number, 0, 0]))

    hands = [threading.Thread(target=present, args=(number,)) for number in range(20)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(30)
    assert all(results[number].result is GestureResult.TAPPED for number in range(1, 20, 2))
    assert {results[number].result for number in range(0, 20, 2)} <= {GestureResult.REFUSED, GestureResult.DEBOUNCED}


def test_a_listener_that_fails_keeps_no_reader_from_its_work(caplog: pytest.LogCaptureFixture):
    def fail(_: object) -> None:
        raise RuntimeError("nobody listens")

    readers = Readers([DESK], lambda _: None, fail)
    readers.start()
    assert readers.present(ANNA).result is GestureResult.TAPPED
    readers.stop()
    assert "on_status failed: RuntimeError at" in caplog.text
    assert "nobody listens" not in caplog.text


def test_a_process_that_cannot_even_start_is_a_faulty_reader_and_the_others_work(start: StartReaders, log: Log):
    broken = ReaderSpec("nfcpy", path="tty:\0")
    readers = start(broken, DESK, ready=False)
    wait_for_state(readers, ReaderState.FAULTY, ReaderState.READY)
    assert "it failed: ValueError" in readers.status()[0].detail
    assert readers.present(ANNA).result is GestureResult.TAPPED


def test_a_driver_that_is_broken_is_named_without_what_it_says(
    start: StartReaders, tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    package = os.path.join(tmp_path, "smartcard")
    os.mkdir(package)
    with open(os.path.join(package, "__init__.py"), "w", encoding="utf-8") as file:
        file.write("raise RuntimeError('04a1b2c3d4e5f6')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    readers = start(ReaderSpec("pcsc"), ready=False)
    wait_for_state(readers, ReaderState.FAULTY)
    detail = readers.status()[0].detail
    assert "RuntimeError at" in detail
    assert "times in a row" in detail
    assert "04a1b2c3d4e5f6" not in detail + caplog.text


def test_a_faulty_reader_that_has_behaved_for_a_while_is_forgiven(start: StartReaders):
    timeouts = Timeouts(first_wait_s=0.01, most_wait_s=0.02, relapses_to_faulty=2, forgiven_after_s=1.0)
    readers = start(DESK, timeouts=timeouts)
    for _ in range(2):
        wait_for_state(readers, ReaderState.READY)
        (victim,) = processes_of(DESK)
        os.kill(victim, signal.SIGKILL)
        wait_for_another(DESK, victim)
    wait_for_state(readers, ReaderState.FAULTY)
    assert readers.status()[0].detail == "its process ended (signal 9), 2 times in a row"
    wait_for_state(readers, ReaderState.READY)


def test_a_process_that_fell_silent_is_replaced_without_a_wait_however_often(start: StartReaders):
    timeouts = Timeouts(idle_s=2.0, first_wait_s=600.0, most_wait_s=600.0, relapses_to_faulty=99)
    readers = start(DESK, timeouts=timeouts)
    for _ in range(2):
        (silent,) = processes_of(DESK)
        os.kill(silent, signal.SIGSTOP)
        wait_for_another(DESK, silent)
        wait_for_state(readers, ReaderState.READY)


def test_stopping_twice_and_stopping_what_never_started_is_no_error():
    readers = Readers([DESK], lambda _: None, lambda _: None)
    readers.stop()
    readers = Readers([DESK], lambda _: None, lambda _: None)
    readers.start()
    readers.stop()
    readers.stop()
    assert processes_of(DESK) == []
    assert readers.present(ANNA).detail == "the reader is stopped"


def test_a_process_is_stopped_even_while_the_card_it_read_is_being_dealt_with():
    held, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        held.set()
        go_on.wait(30.0)

    readers = Readers([DESK], hold, lambda _: None)
    readers.start()
    threading.Thread(target=readers.present, args=(ANNA,), daemon=True).start()
    assert held.wait(30.0)
    readers.stop(1.0)
    go_on.set()
    until(lambda: not processes_of(DESK), "the process is gone")


@pytest.mark.parametrize(
    "says", ["print('what?', flush=True)", "print('x' * 10_000, end='', flush=True)"], ids=["no message", "no end"]
)
def test_a_process_whose_message_cannot_be_read_is_given_up(says: str):
    process = ReaderProcess([sys.executable, "-c", f"{says}; import time; time.sleep(60)"])
    with pytest.raises(ProcessEnded, match="sent a message that cannot be read"):
        process.receive(30)
    process.close()


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("raise SystemExit(3)", "its process ended (exit 3)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its process ended (signal 11)"),
    ],
)
def test_how_a_process_ended_is_told_in_words(says: str, why: str):
    process = ReaderProcess([sys.executable, "-c", says])
    with pytest.raises(ProcessEnded) as ended:
        process.receive(30)
    assert ended.value.why == why
    process.close()


def test_a_message_that_comes_in_pieces_is_one_message_and_silence_is_none():
    half = """import sys, time
for piece in ['{"is": ', '"heartbeat"}', chr(10)]:
    sys.stdout.write(piece)
    sys.stdout.flush()
    time.sleep(0.05)
time.sleep(60)
"""
    process = ReaderProcess([sys.executable, "-c", half])
    assert process.receive(30) == Heartbeat()
    assert process.receive(0.01) is None
    process.close()
