"""The health check runs by itself: when it is due, in one service, and its result is stored and logged."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

import pytest

from sync.central.maintenance.health_schedule import EVERY_MS, SPREAD, HealthSchedule, run_check
from sync.central.records.last_check import LastCheck, read_last_check
from tests.sync.central.centre import Centre, patient


def last(centre: Centre) -> LastCheck | None:
    with centre.store.read() as db:
        return read_last_check(db)


def wait(so: Callable[[], object]) -> None:
    """Waits until the condition holds. The test's own time limit ends it."""
    while not so():
        time.sleep(0.005)


def break_it(centre: Centre) -> None:
    with centre.store.write() as db:
        db.execute("update entries set state = 'called'")


@pytest.fixture
def waiting(centre: Centre) -> Centre:
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    return centre


def test_the_result_is_stored_with_its_time(waiting: Centre):
    assert last(waiting) is None
    assert run_check(waiting.parts).ok
    found = last(waiting)
    assert found is not None
    assert (found.ended_ms, found.ok) == (waiting.clock(), True)
    break_it(waiting)
    assert run_check(waiting.parts).found["inconsistent"] == 1
    found = last(waiting)
    assert found is not None
    assert (found.ok, found.found["inconsistent"]) == (False, 1)


def test_the_log_says_where_it_turns_and_not_each_time(waiting: Centre, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    for _ in range(2):
        run_check(waiting.parts)
    assert caplog.messages == []
    break_it(waiting)
    for _ in range(2):
        run_check(waiting.parts)
    (told,) = caplog.messages
    assert told == "the health check finds: 1 inconsistent; kiosk-central check lists them"
    caplog.clear()
    with waiting.store.write() as db:
        db.execute("update entries set state = 'waiting'")
    for _ in range(2):
        run_check(waiting.parts)
    assert caplog.messages == ["the health check finds nothing any more"]


def test_it_runs_at_the_start_and_again_when_the_time_has_passed(waiting: Centre):
    schedule = HealthSchedule(waiting.parts, tick_s=0.01, chance=random.Random(1))
    schedule.start()
    wait(lambda: last(waiting))
    first_ms = waiting.clock()
    waiting.clock.now_ms += round(EVERY_MS * (1 + SPREAD)) + 1
    wait(lambda: last(waiting).ended_ms > first_ms)
    schedule.stop()


def test_a_restart_of_the_service_repeats_no_check_that_is_young(waiting: Centre):
    run_check(waiting.parts)
    before = last(waiting)
    waiting.clock.now_ms += round(EVERY_MS * (1 - SPREAD)) - 1
    schedule = HealthSchedule(waiting.parts, tick_s=0.01)
    assert not schedule._is_due()
    waiting.clock.now_ms += round(EVERY_MS * 2 * SPREAD) + 2
    assert schedule._is_due()
    assert last(waiting) == before


def test_a_clock_that_was_put_back_does_not_put_off_the_check(waiting: Centre):
    run_check(waiting.parts)
    waiting.clock.now_ms -= 365 * 24 * 3600 * 1000
    assert HealthSchedule(waiting.parts)._is_due()


def test_the_times_of_services_spread(waiting: Centre):
    waits = {HealthSchedule(waiting.parts, chance=random.Random(seed))._wait_ms for seed in range(100)}
    assert max(waits) - min(waits) > EVERY_MS * SPREAD
    assert all(EVERY_MS * (1 - SPREAD) <= each <= EVERY_MS * (1 + SPREAD) for each in waits)


def test_a_busy_database_puts_the_check_off_and_does_not_end_it(waiting: Centre, caplog: pytest.LogCaptureFixture):
    with waiting.store.write() as db:
        db.execute("alter table last_check rename to hidden")
    schedule = HealthSchedule(waiting.parts, tick_s=0.01)
    schedule.start()
    wait(lambda: caplog.messages)
    with waiting.store.write() as db:
        db.execute("alter table hidden rename to last_check")
    wait(lambda: last(waiting))
    schedule.stop()


def test_counts_are_complete_where_the_lists_are_cut(waiting: Centre):
    with waiting.store.write() as db:
        db.execute("update journeys set state = 'LOST'")
    found = waiting.do("check")
    assert (found["found"]["inconsistent"], found["ok"]) == (20, False)
