"""Rows that are written together on PostgreSQL: in their order, before what reads them, and undone where one fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.store.errors import Overtaken, StaleJourney
from sync.central.store.pg_transaction import LATE
from sync.central.store.postgres import PostgresStore
from sync.central.store.transactions import WriteTransaction, Writing
from tests.sync.central.databases import Cluster

ADD = Writing("insert into counters (name, value) values (:name, :value)")
RAISE = Writing("update counters set value = value + 1 where name = :name and value = :value", changes_one=True)


@pytest.fixture
def store(cluster: Cluster, tmp_path: Path) -> Iterator[PostgresStore]:
    with cluster.database() as url:
        made = PostgresStore(url, tmp_path)
        yield made
        made.close()


def counters(store: PostgresStore) -> dict[str, int]:
    with store.read() as db:
        return {row["name"]: row["value"] for row in db.rows("select * from counters where name <> 'change'")}


def add(db: WriteTransaction, name: str, value: int = 1) -> None:
    db.write(ADD, {"name": name, "value": value})


def add_all(db: WriteTransaction, names: str) -> None:
    for name in names:
        add(db, name)


def test_rows_are_written_in_their_order_and_before_a_query_that_sees_them(store: PostgresStore):
    with store.write() as db:
        add(db, "A")
        db.write(RAISE, {"name": "A", "value": 1})
        db.write(RAISE, {"name": "A", "value": 2})
        assert db.counter("A") == 3
        add(db, "B")
        db.executemany(ADD.sql, [{"name": "C", "value": 1}])
        add(db, "D")
        assert sorted(db.rows_at_once("select name from counters where name in ('B', 'C', 'D')", 1, {})) == [
            ("B",),
            ("C",),
            ("D",),
        ]
        add(db, "E")
    assert counters(store) == {"A": 3, "B": 1, "C": 1, "D": 1, "E": 1}


def test_a_row_that_fails_at_the_end_undoes_the_whole_transaction(store: PostgresStore):
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        add_all(db, "ABAC")
    assert counters(store) == {}
    with pytest.raises(StaleJourney), store.write() as db:
        db.write(RAISE, {"name": "A", "value": 7})
    assert counters(store) == {}
    with store.write() as db:
        add(db, "A")
    assert counters(store) == {"A": 1}


def test_a_row_that_fails_concerns_its_savepoint_alone(store: PostgresStore):
    def part(db: WriteTransaction, *names: str) -> None:
        with db.savepoint():
            for name in names:
                add(db, name)

    with store.write() as db:
        add(db, "A")
        with pytest.raises(sqlite3.IntegrityError):
            part(db, "B", "A")
        part(db, "C")
        add(db, "D")
    assert counters(store) == {"A": 1, "C": 1, "D": 1}


def test_rows_that_wait_go_with_the_savepoint_that_is_undone(store: PostgresStore):
    def part(db: WriteTransaction) -> None:
        with db.savepoint():
            add(db, "B")
            raise ZeroDivisionError

    with store.write() as db:
        add(db, "A")
        with pytest.raises(ZeroDivisionError):
            part(db)
    assert counters(store) == {"A": 1}


def test_a_part_of_a_shared_commit_that_fails_at_its_end_fails_alone(store: PostgresStore):
    store._commits.shared_s = 60.0
    with store.write(brief=True) as db:
        add(db, "A")
    for name in ("A", "B"):
        try:
            with store.write(brief=True) as db:
                add(db, name)
        except sqlite3.IntegrityError:
            assert name == "A"
    assert counters(store) == {"A": 1, "B": 1}


def test_a_statement_that_came_after_the_one_that_failed_works_afterwards(store: PostgresStore):
    """The driver takes it for prepared, though the server never heard of it."""

    def fail(db: WriteTransaction, name: str, value: int) -> None:
        with db.savepoint():
            add(db, name)
            add(db, name)
            db.write(RAISE, {"name": "A", "value": value})

    with store.write() as db:
        add(db, "A", 0)
        with pytest.raises(sqlite3.IntegrityError):
            fail(db, "B", 0)
        for value in range(20):
            db.write(RAISE, {"name": "A", "value": value})
            db.flush()
            with pytest.raises(sqlite3.IntegrityError):
                fail(db, "B", value + 1)
    assert counters(store) == {"A": 20}


def test_a_number_is_taken_with_the_commit_and_all_rows_bear_it(store: PostgresStore):
    with store.write(brief=True, beside=True) as db:
        number = db.next_change()
        assert number == LATE
        add(db, "A", number)
        add(db, "B", number)
        db.announce(number, "P1")
    assert counters(store) == {"A": 1, "B": 1}
    assert [each.number for each in db.news] == [1]
    assert store.news.latest == 1


def test_a_query_in_between_sees_the_rows_with_their_number(store: PostgresStore):
    with store.write(brief=True, beside=True) as db:
        number = db.next_change()
        add(db, "A", number)
        db.announce(number, "P1")
        assert (db.counter("A"), db.latest_change(), db.news[0].number) == (1, 1, 1)
        db.execute(ADD.sql, {"name": "B", "value": number})
        db.executemany(ADD.sql, [{"name": "C", "value": number}])
        add(db, "D", db.next_change())
    assert counters(store) == {"A": 1, "B": 1, "C": 1, "D": 2}


def test_a_second_number_in_one_transaction_comes_after_the_first(store: PostgresStore):
    with store.write(brief=True, beside=True) as db:
        for name in ("A", "B", "C"):
            add(db, name, db.next_change())
    assert counters(store) == {"A": 1, "B": 2, "C": 3}


@pytest.mark.parametrize(
    ("writing", "row", "kind"),
    [
        (RAISE, {"name": "A", "value": 7}, Overtaken),
        (ADD, {"name": "A", "value": 1}, sqlite3.IntegrityError),
        (ADD, {"name": "B", "value": "x"}, sqlite3.DataError),
    ],
)
def test_what_fails_with_the_commit_leaves_nothing(
    store: PostgresStore, writing: Writing, row: dict[str, object], kind: type[Exception]
):
    def fail() -> None:
        with store.write(brief=True, beside=True) as db:
            db.announce(db.next_change(), "P1")
            add(db, "C")
            db.write(writing, row)
            add(db, "D")

    with store.write() as db:
        add(db, "A")
    with pytest.raises(kind):
        fail()
    assert counters(store) == {"A": 1}
    assert store.news.latest == 0
    with store.write(brief=True, beside=True) as db:
        add(db, "B", db.next_change())
        db.write(RAISE, {"name": "A", "value": 1})
    assert counters(store) == {"A": 2, "B": 1}


def test_a_transaction_that_changes_nothing_takes_no_number(store: PostgresStore):
    with store.write(brief=True, beside=True) as db:
        add(db, "A")
    with store.read() as view:
        assert view.latest_change() == 0
    assert counters(store) == {"A": 1}


def test_statements_that_were_to_be_prepared_after_one_that_fails_go_on(store: PostgresStore):
    def attempt(number: int, name: str) -> None:
        with store.write(brief=True, beside=True) as db:
            add(db, name)
            for each in range(number):  # each length is a statement of its own, which is prepared after some uses
                db.write(Writing(f"{ADD.sql} on conflict do nothing returning {each}"), {"name": "E", "value": 1})

    with store.write() as db:
        add(db, "A")
    for _ in range(8):
        with pytest.raises(sqlite3.IntegrityError):
            attempt(3, "A")
    attempt(3, "B")
    assert counters(store) == {"A": 1, "B": 1, "E": 1}
