"""The state of a reader, from what its process reports and from how often the process had to be replaced."""

from __future__ import annotations

from hardware.health import Health, Timeouts
from hardware.reader import ReaderState
from hardware.wire import State

READY = State(ReaderState.READY, "reader one")
STARTING = State(ReaderState.STARTING, "")
TIMEOUTS = Timeouts(failures_to_faulty=3, forgiven_after_s=60.0)


def failed_at(*times_s: float) -> Health:
    """A reader that failed at these times and is ready each time after."""
    health = Health(TIMEOUTS)
    health.reported(READY)
    for now_s in times_s:
        health.failed("it hung", now_s)
        health.reported(READY)
    return health


def test_a_reader_is_in_the_state_that_its_process_reports():
    health = Health(TIMEOUTS)
    assert health.state_at(0.0) == STARTING
    health.reported(READY)
    assert health.state_at(1.0) == READY
    health.failed("it hung", 2.0)
    assert health.state_at(2.0) == STARTING


def test_a_reader_that_failed_too_often_is_faulty_even_when_its_process_reports_ready():
    assert failed_at(1.0, 2.0).state_at(3.0) == READY
    assert failed_at(1.0, 2.0, 3.0).state_at(4.0) == State(ReaderState.FAULTY, "it hung, 3 times in a row")


def test_a_card_that_was_read_ends_the_count_of_failures():
    health = failed_at(1.0, 2.0, 3.0)
    health.card_read()
    assert health.state_at(4.0) == READY


def test_failures_are_forgiven_after_a_while_without_one():
    health = failed_at(1.0, 2.0, 3.0)
    assert health.state_at(62.9).state is ReaderState.FAULTY
    assert health.state_at(63.0) == READY


def test_failures_far_apart_do_not_add_up():
    assert failed_at(1.0, 100.0, 200.0).state_at(201.0) == READY


def test_the_first_failure_is_followed_by_a_new_process_at_once_and_the_next_is_not():
    assert not failed_at(1.0).keeps_failing
    assert failed_at(1.0, 2.0).keeps_failing
    assert not failed_at(1.0, 100.0).keeps_failing
