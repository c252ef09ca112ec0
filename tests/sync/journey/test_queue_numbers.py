"""Queue numbers: their form, and when one may be given again."""

import pytest

from sync.journey.queue_numbers import IN_USE_MS, NumberUse, count_of, is_in_use, next_number, prefix_of, queue_number

NOW_MS = 1_772_409_600_000
TODAY, YESTERDAY, TOMORROW = "2026-03-02", "2026-03-01", "2026-03-03"


@pytest.mark.parametrize(("count", "number"), [(1, "B-001"), (999, "B-999"), (12345, "B-12345")])
def test_a_number_is_read_as_it_was_written(count: int, number: str):
    assert queue_number("B", count) == number
    assert (prefix_of(number), count_of(number)) == ("B", count)


@pytest.mark.parametrize(
    ("day", "hours_ago", "in_use"),
    [(TODAY, 20, True), (TOMORROW, 20, True), (YESTERDAY, 20, False), (YESTERDAY, 11.9, True), (YESTERDAY, 12, False)],
)
def test_a_number_is_in_use_on_the_day_of_its_entry_and_for_hours_after_its_last_change(day, hours_ago, in_use):
    assert is_in_use(NumberUse(day, NOW_MS - int(hours_ago * 3_600_000)), TODAY, NOW_MS) is in_use


def test_a_change_that_a_clock_ahead_of_time_wrote_keeps_the_number_in_use():
    assert is_in_use(NumberUse(YESTERDAY, NOW_MS + 10 * IN_USE_MS), TODAY, NOW_MS)


def test_numbers_in_use_are_skipped():
    assert next_number("B", 0, lambda _: False) == "B-001"
    assert next_number("B", 0, {"B-001", "B-002", "B-004"}.__contains__) == "B-003"
    assert next_number("B", 3, {"B-001", "B-004"}.__contains__) == "B-005"
