"""Queue numbers: none is given twice, under any clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store import queue_numbers
from kiosk.store.sqlite import Store
from tests.kiosk.samples import TODAY

TOMORROW = "2026-03-03"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "kiosk.db")
    yield made
    made.close()


def test_numbers_of_a_day_rise_by_one_and_each_day_has_its_own(store: Store):
    with store.write() as db:
        given = []
        for day in (TODAY, TODAY, TOMORROW, TODAY):
            given.append(queue_numbers.peek_queue_number(db, "B", day))
            assert queue_numbers.peek_queue_number(db, "B", day) == given[-1]
            queue_numbers.use_queue_number(db, day, day, day_is_sure=True)
        assert given == ["B-001", "B-002", "B-001", "B-003"]
        db.execute("update queue_numbers set used = 12345 where site_day = ?", (TODAY,))
        assert queue_numbers.peek_queue_number(db, "B", TODAY) == "B-12346"


def test_a_number_given_on_an_unknown_day_counts_for_the_day_that_it_was(store: Store):
    with store.write() as db:
        queue_numbers.use_queue_number(db, "1970-01-01", "1970-01-01", day_is_sure=False)
        assert queue_numbers.peek_queue_number(db, "B", TODAY) == "B-002"
        queue_numbers.correct_day(db, TODAY)
        assert queue_numbers.peek_queue_number(db, "B", TODAY) == "B-002"
        assert queue_numbers.peek_queue_number(db, "B", TOMORROW) == "B-001"


def test_numbers_given_while_the_clock_was_years_ahead_count_for_the_day_it_was(store: Store):
    with store.write() as db:
        queue_numbers.use_queue_number(db, "2099-12-31", "2099-12-31", day_is_sure=True)
        queue_numbers.correct_day(db, TODAY)
        assert queue_numbers.peek_queue_number(db, "B", TODAY) == "B-002"


def test_counts_of_old_days_go_and_the_newest_stay(store: Store):
    with store.write() as db:
        for day in ("1970-01-01", "2026-03-01", TODAY, TOMORROW):
            queue_numbers.use_queue_number(db, day, day, day_is_sure=True)
        queue_numbers.forget_old_days(db, 3)
        kept = [row["site_day"] for row in db.execute("select site_day from queue_numbers order by site_day")]
    assert kept == ["2026-03-01", TODAY, TOMORROW]
