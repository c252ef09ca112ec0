"""Queue numbers: none is given twice, under any clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest

from kiosk.store import queue_numbers
from kiosk.store.sqlite import Store
from tests.kiosk.samples import TODAY, at

TOMORROW = "2026-03-03"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "kiosk.db")
    yield made
    made.close()


def give(db: Connection, day: str, now_ms: int, *, since_day: str = "", day_is_sure: bool = True) -> str:
    """Gives the next number on a day, as `write()` does."""
    return queue_numbers.take_queue_number(
        db,
        "B",
        f"action of {day} {now_ms}",
        site_day=day,
        since_day=since_day or day,
        now_ms=now_ms,
        day_is_sure=day_is_sure,
    )


def next_of(db: Connection, day: str, now_ms: int) -> str:
    """The number that would be given next."""
    db.execute("savepoint looks")
    number = give(db, day, now_ms)
    db.execute("rollback to looks")
    return number


def test_numbers_of_a_day_rise_by_one_and_each_day_has_its_own(store: Store):
    with store.write() as db:
        given = [give(db, day, at("09:00", day)) for day in (TODAY, TODAY, TOMORROW, TOMORROW, TOMORROW)]
        assert given == ["B-001", "B-002", "B-001", "B-002", "B-003"]
        db.execute("update queue_numbers set used = 12345 where site_day = ?", (TOMORROW,))
        assert next_of(db, TOMORROW, at("09:00", TOMORROW)) == "B-12346"


def test_a_number_that_an_entry_of_the_day_bears_is_skipped_all_day(store: Store):
    with store.write() as db:
        give(db, TODAY, at("09:00"))
        queue_numbers.note_in_use(db, ["B-001"], TOMORROW, at("05:00", TOMORROW))  # it waits overnight
        assert give(db, TOMORROW, at("23:00", TOMORROW)) == "B-002"


def test_a_number_of_the_last_hours_is_skipped_on_the_next_day(store: Store):
    with store.write() as db:
        for time_of_day in ("09:00", "17:30", "19:00"):
            give(db, TODAY, at(time_of_day))
        assert [give(db, TOMORROW, at(each, TOMORROW)) for each in ("05:00", "05:01")] == ["B-001", "B-004"]


def test_before_the_first_roster_of_a_day_the_count_of_the_day_before_goes_on(store: Store):
    with store.write() as db:
        give(db, TODAY, at("09:00"))
        assert give(db, TOMORROW, at("09:00", TOMORROW), since_day=TODAY) == "B-002"
        assert give(db, TOMORROW, at("10:00", TOMORROW)) == "B-003"


def test_a_number_given_on_an_unknown_day_counts_for_the_day_that_it_was(store: Store):
    with store.write() as db:
        give(db, "1970-01-01", 0, day_is_sure=False)
        assert next_of(db, TODAY, at("09:00")) == "B-002"
        queue_numbers.correct_day(db, TODAY, at("09:00"))
        assert next_of(db, TODAY, at("09:00")) == "B-002"
        assert next_of(db, TOMORROW, at("09:00", TOMORROW)) == "B-001"


def test_numbers_given_while_the_clock_was_years_ahead_count_for_the_day_it_was(store: Store):
    with store.write() as db:
        give(db, "2099-12-31", at("09:00", "2099-12-31"))
        queue_numbers.correct_day(db, TODAY, at("09:00"))
        assert next_of(db, TODAY, at("09:00")) == "B-002"
        assert next_of(db, TOMORROW, at("05:00", TOMORROW)) == "B-001"
        assert next_of(db, TOMORROW, at("20:59")) == "B-002"


def test_counts_of_old_days_go_and_the_newest_stay(store: Store):
    with store.write() as db:
        for day in ("1970-01-01", "2026-03-01", TODAY, TOMORROW):
            give(db, day, at("09:00", day))
        queue_numbers.forget_old_days(db, 3)
        kept = [row["site_day"] for row in db.execute("select site_day from queue_numbers order by site_day")]
    assert kept == ["2026-03-01", TODAY, TOMORROW]


def test_a_number_that_may_be_given_again_is_forgotten_and_one_in_use_stays(store: Store):
    with store.write() as db:
        for time_of_day in ("09:00", "20:00"):
            give(db, TODAY, at(time_of_day))
        queue_numbers.forget_unused(db, TOMORROW, at("05:00", TOMORROW))
        assert [row[0] for row in db.execute("select queue_number from number_uses")] == ["B-002"]
