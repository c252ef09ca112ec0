"""The state of a reader, from what its process reports and from how often the process had to be replaced."""

from __future__ import annotations

from hardware.health import Health, Timeouts
from hardware.reader import ReaderState
from hardware.wire import State

READY = State(ReaderState.READY, "reader one")
STARTING = State(ReaderState.STARTING, "")
ABSENT = State(ReaderState.ABSENT, "no reader is attached")
TIMEOUTS = Timeouts(trouble_s=2.0, relapses_to_faulty=3, forgiven_after_s=10.0, unreadable_to_degraded=5)


def failed_at(*times_s: float) -> Health:
    """A reader that failed at these times and is ready each time after."""
    health = Health(TIMEOUTS)
    health.reported(READY, 0.0)
    for now_s in times_s:
        health.failed("it hung", now_s, now_s)
        health.reported(READY, now_s)
    return health


def test_a_reader_is_in_the_state_that_its_process_reports():
    health = Health(TIMEOUTS)
    assert health.state_at(0.0) == STARTING
    health.reported(READY, 0.5)
    assert health.state_at(1.0) == READY
    health.failed("it hung", 2.0, 2.0)
    assert health.state_at(2.0) == STARTING


def test_trouble_is_shown_when_it_has_lasted_and_ends_at_once():
    health = failed_at()
    health.reported(ABSENT, 1.0)
    assert health.state_at(2.9) == READY
    assert health.due_s(2.9) == 3.0
    assert health.state_at(3.0) == ABSENT
    health.reported(READY, 3.1)
    assert health.state_at(3.1) == READY


def test_trouble_of_several_kinds_in_a_row_counts_from_the_first():
    health = failed_at()
    health.reported(ABSENT, 1.0)
    health.failed("it hung", 2.0, 2.0)
    health.reported(ABSENT, 2.5)
    assert health.state_at(3.0) == ABSENT


def test_a_process_that_was_silent_was_in_trouble_since_it_was_last_heard():
    health = failed_at()
    health.failed("it hung", 1.0, 5.0)
    assert health.state_at(5.0) == State(ReaderState.FAULTY, "it hung")


def test_a_reader_that_was_out_of_order_for_long_is_ready_as_soon_as_it_answers():
    health = failed_at()
    for now_s in (4.0, 8.0, 12.0, 16.0):
        health.failed("it hung", now_s, now_s)
    assert health.state_at(18.0) == State(ReaderState.FAULTY, "it hung, 4 times in a row")
    health.reported(READY, 18.1)
    assert health.state_at(18.1) == READY


def test_a_reader_that_keeps_failing_after_it_was_ready_is_faulty_even_while_it_reports_ready():
    assert failed_at(1.0, 2.0).state_at(3.0) == READY
    assert failed_at(1.0, 2.0, 3.0).state_at(4.0) == State(ReaderState.FAULTY, "it hung, 3 times in a row")


def test_a_card_that_was_read_ends_the_count_of_failures():
    health = failed_at(1.0, 2.0, 3.0)
    health.card_read("one")
    assert health.state_at(4.0) == READY


def test_failures_are_forgiven_after_a_while_without_one():
    health = failed_at(1.0, 2.0, 3.0)
    assert health.state_at(12.9).state is ReaderState.FAULTY
    assert health.due_s(12.9) == 13.0
    assert health.state_at(13.0) == READY


def test_failures_far_apart_do_not_add_up():
    assert failed_at(1.0, 20.0, 40.0).state_at(41.0) == READY


def test_failures_at_a_card_do_not_count_but_a_process_that_does_not_return_is_trouble():
    health = failed_at()
    for now_s in range(1, 10):
        health.failed_at_a_card("it stopped answering", float(now_s))
        assert health.state_at(now_s + 0.5) == STARTING
        health.reported(READY, now_s + 0.6)
    assert health.state_at(10.0) == READY
    assert not health.keeps_failing
    health.failed_at_a_card("it stopped answering", 11.0)
    assert health.state_at(13.0) == State(ReaderState.FAULTY, "it stopped answering")


def test_a_run_of_unreadable_cards_at_one_slot_is_a_degraded_reader_until_it_reads_one():
    health = failed_at()
    for _ in range(4):
        health.card_unreadable("one")
        health.card_unreadable("other")
    health.card_read("other")
    assert health.state_at(1.0) == READY
    health.card_unreadable("one")
    assert health.state_at(1.0) == State(ReaderState.DEGRADED, "the last 5 cards could not be read at one")
    health.card_read("one")
    assert health.state_at(1.0) == READY


def test_the_first_failure_is_followed_by_a_new_process_at_once_and_the_next_is_not():
    assert not failed_at(1.0).keeps_failing
    assert failed_at(1.0, 2.0).keeps_failing
    assert not failed_at(1.0, 100.0).keeps_failing
