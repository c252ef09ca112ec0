"""What a reader is worth, from what its process says and from how often it had to be replaced."""

from __future__ import annotations

from hardware.health import Health, Timeouts
from hardware.reader import ReaderState
from hardware.wire import State

READY = State(ReaderState.READY, "reader one")
STARTING = State(ReaderState.STARTING, "")
PATIENCE = Timeouts(failures_to_faulty=3, forgiven_after_s=60.0)


def failed_at(*times_s: float) -> Health:
    """A reader that failed at these times and is ready each time after."""
    health = Health(PATIENCE)
    health.told(READY)
    for now_s in times_s:
        health.failed("it hung", now_s)
        health.told(READY)
    return health


def test_a_reader_is_what_its_process_says():
    health = Health(PATIENCE)
    assert health.judged(0.0) == STARTING
    health.told(READY)
    assert health.judged(1.0) == READY
    health.failed("it hung", 2.0)
    assert health.judged(2.0) == STARTING


def test_a_reader_that_failed_too_often_is_faulty_whatever_its_process_says():
    assert failed_at(1.0, 2.0).judged(3.0) == READY
    assert failed_at(1.0, 2.0, 3.0).judged(4.0) == State(ReaderState.FAULTY, "it hung, 3 times in a row")


def test_a_card_that_was_read_makes_up_for_everything():
    health = failed_at(1.0, 2.0, 3.0)
    health.read_a_card()
    assert health.judged(4.0) == READY


def test_failures_are_forgiven_after_a_while_without_one():
    health = failed_at(1.0, 2.0, 3.0)
    assert health.judged(62.9).state is ReaderState.FAULTY
    assert health.judged(63.0) == READY


def test_failures_far_apart_do_not_add_up():
    assert failed_at(1.0, 100.0, 200.0).judged(201.0) == READY


def test_the_first_failure_is_followed_by_a_new_process_at_once_and_the_next_is_not():
    assert not failed_at(1.0).keeps_failing
    assert failed_at(1.0, 2.0).keeps_failing
    assert not failed_at(1.0, 100.0).keeps_failing
