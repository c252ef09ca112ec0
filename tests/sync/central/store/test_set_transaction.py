"""A set of actions in a transaction: what is read ahead, what waits to be written, and when neither counts any more."""

from __future__ import annotations

import pytest

from sync.central.store.errors import StaleJourney
from sync.central.store.interface import Store
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Order, Question, WriteTransaction, Writing, each_of

COUNTER: Question[str, int] = Question()
ADD = Writing("insert into counters (name, value) values (:name, :value)", Order.SECOND)
RAISE = Writing("update counters set value = value + 1 where name = :name", Order.CHANGES, changes_one=True)


def test_a_question_to_the_database_sees_what_waits_to_be_written(store: Store):
    with store.write() as db:
        together = SetTransaction(db)
        together.write(RAISE, {"name": "a"})
        together.write(ADD, {"name": "a", "value": 1})
        assert db.counter("a") is None
        assert together.counter("a") == 2


def test_answers_count_until_something_is_written_in_another_way(store: Store):
    with store.write() as db:
        together = SetTransaction(db)
        assert together.known(COUNTER, "a") is UNREAD
        together.learn(COUNTER, "a", 1)
        assert together.known(COUNTER, "a") is UNREAD, "nothing was read ahead"
        together.read_ahead(COUNTER, {"a": 1})
        together.write(ADD, {"name": "a", "value": 2})
        together.learn(COUNTER, "a", 2)
        assert together.counter("a") == together.known(COUNTER, "a") == 2
        assert together.known(COUNTER, "b") is UNREAD
        assert together.looks_ahead
        together.set_counter("a", 3)
        assert together.known(COUNTER, "a") is UNREAD
        assert not together.looks_ahead


def test_many_rows_that_are_written_in_another_way_end_it_too(store: Store):
    with store.write() as db:
        together = SetTransaction(db)
        together.read_ahead(COUNTER, {"a": 1})
        together.executemany("insert into counters (name, value) values (:name, 1)", [{"name": "a"}])
        assert together.known(COUNTER, "a") is UNREAD


def write_now(db: WriteTransaction, row: dict[str, object]) -> None:
    db.write(RAISE, row)
    db.flush()


def test_a_row_that_is_not_as_it_was_read_stops_the_transaction(store: Store):
    with store.write() as db:
        db.set_counter("a", 1)
        together = SetTransaction(db)
        together.write(RAISE, {"name": "a"})
        together.write(RAISE, {"name": "b"})
        with pytest.raises(StaleJourney):
            together.flush()
        with pytest.raises(StaleJourney):
            write_now(db, {"name": "b"})


def test_change_numbers_go_on_within_a_set_and_after_it(store: Store):
    with store.write() as db:
        first, together = db.next_change(), SetTransaction(db)
        assert [together.next_change() for _ in range(3)] == [first + 1, first + 2, first + 3]
        assert together.latest_change() == first + 3
        assert together.next_change() == first + 4
        together.flush()
        assert db.next_change() == first + 5


def test_the_news_of_a_set_are_those_of_its_transaction(store: Store):
    with store.write() as db:
        SetTransaction(db).announce(7, "P1")
        assert [each.number for each in db.news] == [7]


@pytest.mark.parametrize(("keys", "placeholders"), [(1, 1), (2, 2), (3, 4), (64, 64), (100, 128), (129, 192)])
def test_few_sizes_of_a_statement_are_prepared(keys: int, placeholders: int):
    names, parameters = each_of("key", [f"k{number}" for number in range(keys)])
    assert names.count(":key") == len(parameters) == placeholders
    assert set(parameters.values()) == {f"k{number}" for number in range(keys)}
