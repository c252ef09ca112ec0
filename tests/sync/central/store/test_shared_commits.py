"""Brief transactions that wait for each other share a commit: none of them ends before it, and each is undone alone."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosk.demo.hospital import wait_for
from sync.central.store.interface import Store
from sync.central.store.shared_commits import MOST_SHARING, Commit
from sync.central.store.sqlite import SqliteStore
from tests.sync.central.databases import Database

Work = Callable[[Any], None]


class Undone(Exception):
    """Raised by a test to undo a transaction."""


def nothing(_: object) -> None:
    """Leaves a transaction as it is."""


def undo(_: object) -> None:
    raise Undone


def fill(db: Any) -> None:
    """Writes more than the database may hold."""
    db.executemany("insert into counters (name, value) values (?, 1)", ((f"{n:08d}",) for n in range(10_000)))


def break_key(db: Any) -> None:
    """Writes what the commit will refuse."""
    db.execute("create table child (id text references patients (patient_id) deferrable initially deferred)")
    db.execute("insert into child values ('nobody')")


class Writers:
    """Writers of one store that wait in a line, and the statements that they execute."""

    def __init__(self, store: Store, pool: ThreadPoolExecutor) -> None:
        self.store = store
        self.begun = 0
        self._pool = pool
        self._transactions: set[object] = set()

    def prefixes(self) -> list[str]:
        with self.store.read() as db:
            return [row["name"] for row in db.rows("select name from counters where name <> 'change' order by name")]

    def commits(self) -> int:
        """The number of transactions of the database in which the writers wrote."""
        return self.begun or len(self._transactions)

    def _hear(self, statement: str) -> None:
        self.begun += statement == "begin immediate"

    def await_waiting(self, number: int) -> None:
        wait_for(lambda: len(self.store._commits._turns._queue) == number, "no writer waits", 30.0)

    @contextmanager
    def in_line(self, *works: tuple[str, Work], brief: Collection[str] = "ABCDE") -> Iterator[list[Future[None]]]:
        """Writers that wait while the context is open: each writes a row under its prefix, and does its work."""
        with self.store.write():
            if isinstance(self.store, SqliteStore):
                self.store._writer.set_trace_callback(self._hear)
            futures = []
            for prefix, work in works:
                futures.append(self._pool.submit(self.write, prefix, work, prefix in brief))
                self.await_waiting(len(futures))
            yield futures

    def write(self, prefix: str, work: Work = nothing, brief: bool = True) -> None:
        with self.store.write(brief=brief) as db:
            db.execute("insert into counters (name, value) values (:prefix, 1)", {"prefix": prefix})
            db.announce(db.next_change(), prefix)
            if not isinstance(self.store, SqliteStore):
                self._transactions.add(db.value("select pg_current_xact_id()::text"))
            work(db)


@pytest.fixture
def writers(database: Database) -> Iterator[Writers]:
    store: Any = database.open()
    store._commits.shared_s = 60.0  # a slow machine shares too
    with ThreadPoolExecutor(8) as pool:
        yield Writers(store, pool)
    store.close()


def test_writers_that_wait_share_one_commit(writers: Writers):
    with writers.in_line(*((prefix, nothing) for prefix in "ABCDE")) as futures:
        pass
    assert [future.result(10) for future in futures] == [None] * 5
    assert writers.commits() == 1
    assert writers.prefixes() == ["A", "B", "C", "D", "E"]


def test_no_writer_ends_and_no_news_go_out_before_the_commit(writers: Writers):
    inside, go_on = threading.Event(), threading.Event()
    heard: list[tuple[str, list[str]]] = []

    def hold(_: object) -> None:
        inside.set()
        assert go_on.wait(30)

    with writers.store.news.listen("A", lambda item: heard.append((item.topic, writers.prefixes()))):
        with writers.in_line(("A", nothing), ("B", hold)) as (first, second):
            pass
        assert inside.wait(30)
        assert (first.done(), second.done(), heard, writers.prefixes()) == (False, False, [], [])
        go_on.set()
        assert (first.result(10), second.result(10)) == (None, None)
    assert heard == [("A", ["A", "B"])]


def test_an_exception_undoes_one_transaction_and_the_others_are_committed(writers: Writers):
    with writers.in_line(("A", nothing), ("B", undo), ("C", nothing), ("D", undo)) as (first, second, third, last):
        pass
    for undone in (second, last):
        with pytest.raises(Undone):
            undone.result(10)
    assert (first.result(10), third.result(10)) == (None, None)
    assert writers.prefixes() == ["A", "C"]
    assert writers.commits() == 1


def test_a_commit_that_fails_fails_for_all_and_the_next_writer_begins_afresh(writers: Writers):
    with writers.in_line(("A", break_key), ("B", nothing)) as futures:
        pass
    errors = [future.exception(10) for future in futures]
    assert [type(error) for error in errors] == [sqlite3.IntegrityError] * 2
    assert errors[0] is not errors[1]
    writers.write("C")
    assert writers.prefixes() == ["C"]


@pytest.mark.one_database
def test_a_disk_that_fills_up_undoes_all_that_share_the_commit(writers: Writers):
    with writers.store.write() as db:
        db.execute(f"pragma max_page_count = {db.value('pragma page_count')}")
    with writers.in_line(("A", nothing), ("B", fill)) as futures:
        pass
    errors = [future.exception(10) for future in futures]
    assert [getattr(error, "sqlite_errorcode", None) for error in errors] == [sqlite3.SQLITE_FULL] * 2
    assert writers.prefixes() == []
    with writers.store.write() as db:
        db.execute("pragma max_page_count = 1000000")
    writers.write("C")
    assert writers.prefixes() == ["C"]


def test_a_transaction_that_the_database_has_undone_by_itself_is_left_open_for_nobody(writers: Writers):
    with writers.in_line(("A", lambda db: db.execute("rollback")), ("B", nothing)) as (first, second):
        pass
    assert isinstance(first.exception(10), sqlite3.OperationalError)
    assert second.result(10) is None
    assert writers.prefixes() == ["B"]


def test_a_brief_transaction_waits_for_no_long_one(writers: Writers):
    inside, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        inside.set()
        assert go_on.wait(30)

    with writers.in_line(("A", nothing), ("B", hold), brief={"A"}) as (brief, long):
        pass
    assert inside.wait(30)
    assert (brief.result(10), writers.prefixes()) == (None, ["A"])
    go_on.set()
    assert long.result(10) is None


def test_a_writer_that_is_interrupted_leaves_nobody_waiting(writers: Writers):
    def interrupt(*_: object) -> None:
        raise InterruptedError

    def interrupt_main(_: object) -> None:
        writers.await_waiting(1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        # The next turn is that of the main thread until the signal reaches it.

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        future = writers._pool.submit(writers.write, "A", interrupt_main)
        wait_for(lambda: writers.store._commits._turns._owner, "no thread writes", 30.0)
        with pytest.raises(InterruptedError):
            writers.write("B")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert future.result(10) is None
    assert writers.prefixes() == ["A"]


def test_a_commit_takes_no_more_after_its_time():
    assert not Commit(0.0).takes_more


def test_a_commit_is_shared_by_so_many_transactions_at_most():
    commit = Commit(60.0)
    for _ in range(MOST_SHARING - 2):
        commit.share()
    assert commit.takes_more
    commit.share()
    assert not commit.takes_more


WRITING = """
import os, sys, threading
from pathlib import Path
from sync.central.store.opening import open_store

store = open_store(sys.argv[1], Path(sys.argv[2]), direct=sys.argv[3] or None)

def write(thread):
    for number in range(10_000):
        prefix = f"{thread}-{number}"
        with store.write(brief=True) as db:
            db.execute("insert into counters (name, value) values (:prefix, 1)", {"prefix": prefix})
        os.write(1, f"{prefix}\\n".encode())

for thread in range(8):
    threading.Thread(target=write, args=(thread,)).start()
"""


def test_a_kill_costs_nothing_that_was_acknowledged(database: Database, tmp_path: Path):
    words = [sys.executable, "-c", WRITING, database.url, str(tmp_path), database.direct or ""]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(400)]
        process.kill()
        acknowledged += process.stdout.read().split()
    store = database.open_soon()
    with store.read() as db:
        there = {row["name"] for row in db.rows("select name from counters where name <> 'change'")}
    store.close()
    assert set(acknowledged) <= there
    assert len(there) - len(acknowledged) <= 8  # of each thread one that was not told yet
