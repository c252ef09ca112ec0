"""Rows that are written together on PostgreSQL: in their order, before what reads them, and undone where one fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.store.errors import StaleJourney
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
