"""Queue numbers of the centre: counted by prefix and day, and skipped where a restore may have lost some."""

from __future__ import annotations

from sync.central.records.queue_numbers import next_queue_number, skip_queue_numbers
from tests.sync.central.centre import DAY, Centre


def test_numbers_are_counted_by_prefix_and_day(centre: Centre):
    with centre.store.write() as db:
        numbers = [next_queue_number(db, "C", DAY) for _ in range(2)]
        assert [*numbers, next_queue_number(db, "D", DAY)] == ["C-001", "C-002", "D-001"]
        assert next_queue_number(db, "C", "2026-03-03") == "C-001"


def test_a_count_is_skipped_forward_and_never_back(centre: Centre):
    with centre.store.write() as db:
        skip_queue_numbers(db, "C", DAY, 40)
        assert next_queue_number(db, "C", DAY) == "C-041"
        skip_queue_numbers(db, "C", DAY, 7)
        assert next_queue_number(db, "C", DAY) == "C-042"
