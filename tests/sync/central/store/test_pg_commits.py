"""Transactions beside those of other services that share a commit on PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from sync.central.store.errors import Overtaken
from sync.central.store.pg_transaction import BesideTransaction, PgTransaction
from sync.central.store.postgres import PostgresStore
from sync.central.store.transactions import WriteTransaction, Writing
from tests.sync.central.databases import Cluster

ADD = Writing("insert into counters (name, value) values (:name, :value)")
RAISE = Writing("update counters set value = value + 1 where name = :name and value = :value", changes_one=True)

Work = Callable[[WriteTransaction], None]


@pytest.fixture
def store(cluster: Cluster, tmp_path: Path) -> Iterator[PostgresStore]:
    with cluster.database() as url:
        made = PostgresStore(url, tmp_path)
        made._commits.shared_s = 60.0
        yield made
        made.close()


def counters(store: PostgresStore) -> dict[str, int]:
    with store.read() as db:
        return {row["name"]: row["value"] for row in db.rows("select * from counters where name <> 'change'")}


def adding(name: str) -> Work:
    def work(db: WriteTransaction) -> None:
        number = db.next_change()
        db.write(ADD, {"name": name, "value": number})
        db.announce(number, name)

    return work


def then(*works: Work) -> Work:
    def work(db: WriteTransaction) -> None:
        for each in works:
            each(db)

    return work


def failing(_: WriteTransaction) -> None:
    raise ZeroDivisionError


def raising(name: str, value: int) -> Work:
    return lambda db: db.write(RAISE, {"name": name, "value": value})


def share(
    store: PostgresStore, works: Sequence[Work], *, beside: bool = True, first_beside: bool = True
) -> list[BaseException | None]:
    """Does all in one commit, in their order. Returns what each of them met."""

    def do(work: Work, *, beside: bool = beside) -> None:
        with store.write(brief=True, beside=beside) as db:
            work(db)

    def wait_for(waiting: int) -> None:
        while len(store._commits._turns._queue) != waiting:
            sleep(0.005)

    first, *others = works
    with ThreadPoolExecutor(len(works)) as pool:
        tasks = []

        def begin(db: WriteTransaction) -> None:
            for number, work in enumerate(others, 1):
                tasks.append(pool.submit(do, work))
                wait_for(number)
            first(db)

        leading = pool.submit(do, begin, beside=first_beside)
        leading.exception()
        tasks.insert(0, leading)
    return [each.exception() for each in tasks]


def test_those_who_wait_for_each_other_share_a_commit_and_each_has_a_number_of_its_own(store: PostgresStore):
    commits: list[int] = []

    def id_of_transaction(db: WriteTransaction) -> None:
        commits.append(int(db.value("select txid_current()")))

    assert share(store, [then(id_of_transaction, adding(name)) for name in "ABCD"]) == [None] * 4
    assert len(set(commits)) == 1
    assert sorted(counters(store).values()) == [1, 2, 3, 4]
    assert store.news.latest == 4


def test_the_news_of_each_bear_the_number_of_its_rows(store: PostgresStore):
    heard: dict[str, int] = {}
    with ExitStack() as listening:
        for name in "ABC":
            listening.enter_context(store.news.listen(name, lambda item: heard.update({item.topic: item.number})))
        assert share(store, [adding(name) for name in "ABC"]) == [None] * 3
    assert heard == counters(store)


def test_one_that_fails_is_left_out_and_the_others_count(store: PostgresStore):
    first, second, third = share(store, [adding("A"), then(adding("B"), failing), adding("C")])
    assert (first, type(second), third) == (None, ZeroDivisionError, None)
    assert counters(store).keys() == {"A", "C"}
    assert share(store, [then(adding("D"), failing), adding("E")])[1] is None
    assert counters(store).keys() == {"A", "C", "E"}


def test_one_that_fails_after_a_statement_takes_the_others_along_to_their_turn(store: PostgresStore):
    def write_at_once(db: WriteTransaction) -> None:
        db.execute(ADD.sql, {"name": "B", "value": 1})

    first, second = share(store, [adding("A"), then(write_at_once, failing)])
    assert (type(first), type(second)) == (Overtaken, ZeroDivisionError)
    assert counters(store) == {}


def test_a_statement_that_fails_takes_the_others_along_to_their_turn(store: PostgresStore):
    first, second = share(store, [adding("A"), lambda db: db.value("select 'x'::bigint")])
    assert (type(first), type(second)) == (Overtaken, sqlite3.DataError)
    assert counters(store) == {}


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("at_its_end", [True, False])
def test_a_connection_that_ends_within_one_of_them_lets_nobody_wait(
    store: PostgresStore, *, beside: bool, at_its_end: bool
):
    def end_connection(db: WriteTransaction) -> None:
        if at_its_end:
            db.write(Writing("select pg_terminate_backend(pg_backend_pid())"), {})
        else:
            db.value("select pg_terminate_backend(pg_backend_pid())")

    met = share(store, [adding("A"), then(adding("B"), end_connection)], beside=beside, first_beside=beside)
    assert [isinstance(each, sqlite3.OperationalError) for each in met] == [True] * 2
    assert counters(store) == {}
    assert share(store, [adding("A"), adding("B")], beside=beside, first_beside=beside) == [None] * 2
    assert counters(store) == {"A": 1, "B": 2}


def test_where_one_has_met_another_service_nothing_of_the_commit_counts(store: PostgresStore):
    assert share(store, [adding("A")]) == [None]
    met = share(store, [adding("B"), raising("A", 7), adding("C")])
    assert [type(each) for each in met] == [Overtaken] * 3
    assert counters(store) == {"A": 1}
    assert store.news.latest == 1
    assert share(store, [adding("B"), raising("A", 1), adding("C")]) == [None] * 3
    assert counters(store) == {"A": 2, "B": 2, "C": 3}


def test_two_that_write_the_same_row_are_both_done_again_in_turn_and_one_alone_hears_what_is_wrong(
    store: PostgresStore,
):
    assert [type(each) for each in share(store, [adding("A"), adding("A")])] == [Overtaken] * 2
    assert counters(store) == {}
    assert share(store, [adding("A")]) == [None]
    assert [type(each) for each in share(store, [adding("A")])] == [sqlite3.IntegrityError]


def test_one_that_has_its_number_early_is_the_last_of_its_commit(store: PostgresStore):
    commits: list[int] = []

    def number_at_once(db: WriteTransaction) -> None:
        number = db.next_change()
        db.execute(ADD.sql, {"name": "A", "value": number})
        assert db.counter("A") == 1
        commits.append(int(db.value("select txid_current()")))

    def id_of_transaction(db: WriteTransaction) -> None:
        commits.append(int(db.value("select txid_current()")))

    assert share(store, [number_at_once, then(adding("B"), id_of_transaction)]) == [None] * 2
    assert commits[0] != commits[1]
    assert counters(store) == {"A": 1, "B": 2}


def test_a_commit_in_turn_and_one_beside_others_are_never_the_same(store: PostgresStore):
    kinds: list[type] = []

    def keep_kind(db: WriteTransaction) -> None:
        kinds.append(type(db))

    assert share(store, [keep_kind, keep_kind]) == [None] * 2
    assert share(store, [adding("A"), keep_kind], first_beside=False) == [None] * 2
    with store.write(brief=True) as db:
        keep_kind(db)
    assert kinds == [BesideTransaction, BesideTransaction, BesideTransaction, PgTransaction]


def test_all_who_wait_hear_of_a_commit_that_fails_where_its_rollback_fails_too(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
):
    connection = store._writer.connection
    execute = connection.execute

    def lose(sql: str, *parameters: Any) -> Any:
        if sql == "rollback":
            connection.close()
            raise sqlite3.OperationalError("the connection is lost")
        return execute(sql, *parameters)

    with monkeypatch.context() as patched:
        patched.setattr(connection, "execute", lose)
        met = share(store, [adding("A"), raising("nobody", 1), adding("B")])
    assert [type(each) for each in met] == [Overtaken] * 3
    assert share(store, [adding("C"), adding("D")]) == [None] * 2
    assert counters(store).keys() == {"C", "D"}
