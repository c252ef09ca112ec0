"""Long work in short transactions: each item by itself, and a trial that leaves nothing."""

from __future__ import annotations

import sqlite3

import pytest

from sync.central.services.portions import in_portions
from sync.central.store.transactions import WriteTransaction
from tests.sync.central.centre import Centre


def count(centre: Centre) -> int:
    return len(centre.rows("select 1 from counters where name like 'item%'"))


def add(db: WriteTransaction, item: int) -> int:
    db.set_counter(f"item {item}", item)
    if item == 2:
        raise ValueError("an item that nobody can take")
    return item


def test_an_item_that_fails_is_undone_and_the_others_are_done(centre: Centre):
    assert in_portions(centre.parts, [1, 2, 3], add, -1) == [1, -1, 3]
    assert count(centre) == 2


def test_a_trial_has_the_same_results_and_leaves_nothing(centre: Centre):
    assert in_portions(centre.parts, [1, 2, 3], add, -1, trial=True) == [1, -1, 3]
    assert count(centre) == 0


def test_without_items_there_is_nothing_to_do(centre: Centre):
    assert in_portions(centre.parts, [], add, -1) == []


def test_an_error_of_the_database_ends_the_work_and_is_raised(centre: Centre):
    def fail(db: WriteTransaction, item: int) -> int:
        db.set_counter(f"item {item}", item)
        raise sqlite3.OperationalError("disk full")

    with pytest.raises(sqlite3.OperationalError):
        in_portions(centre.parts, [1], fail, -1)
    assert count(centre) == 0


def test_long_work_gives_others_a_turn_in_between(centre: Centre):
    """An item that takes longer than a portion ends its transaction."""
    turns = []

    def slow(db: WriteTransaction, item: int) -> int:
        turns.append(db)
        db.execute(
            "with recursive n(x) as (select 1 union all select x + 1 from n where x < 500000) select max(x) from n"
        )
        return item

    assert in_portions(centre.parts, [1, 2], slow, -1) == [1, 2]
    assert turns[0] is not turns[1]
