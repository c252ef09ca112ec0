"""Change numbers under many writers of several services, in processes of their own: a reader misses none."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest

from sync.central.store.errors import Trouble, trouble_of
from sync.central.store.postgres import PostgresStore
from tests.sync.central.databases import Cluster

LONG = bool(os.environ.get("LONG"))
SERVICES, THREADS = (8, 4) if LONG else (4, 2)
ROUNDS = 250 if LONG else 25

# One service: each thread writes in turn, briefly, and beside the others, one after the other. One in ten is undone.
WRITING = """
import sys
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from threading import Thread
from sync.central.store.errors import Overtaken
from sync.central.store.postgres import PostgresStore
from sync.central.store.transactions import Writing

store = PostgresStore(sys.argv[1], Path(sys.argv[2]))
threads, rounds = int(sys.argv[3]), int(sys.argv[4])
ADD = Writing("insert into counters (name, value) values (:name, :value)")
WAYS = ({}, {"brief": True}, {"brief": True, "beside": True})

class Undone(Exception):
    pass

def write(way, undone):
    with store.write(**way) as db:
        number = db.next_change()
        db.write(ADD, {"name": f"n{token_hex(8)}", "value": number})
        db.announce(number, "P1")
        if undone:
            raise Undone

def work():
    for number in range(rounds):
        with suppress(Undone):
            try:
                write(WAYS[number % 3], number % 10 == 9)
            except Overtaken:
                write({}, number % 10 == 9)

workers = [Thread(target=work) for _ in range(threads)]
for each in workers:
    each.start()
for each in workers:
    each.join()
store.close()
"""

# A host that stops amid a transaction, as a machine does that is suspended.
STOPPING = """
import os, signal, sqlite3, sys
from pathlib import Path
from sync.central.store.postgres import PostgresStore

store = PostgresStore(sys.argv[1], Path(sys.argv[2]))
try:
    with store.write() as db:
        db.set_counter("stopped", 1)
        os.kill(os.getpid(), signal.SIGSTOP)
except sqlite3.OperationalError:
    with store.write() as db:
        db.set_counter("again", 1)
store.close()
"""


@pytest.fixture
def store(cluster: Cluster, tmp_path: Path) -> Iterator[PostgresStore]:
    """A service that only reads."""
    (tmp_path / "reader").mkdir()
    with cluster.database() as url:
        made = PostgresStore(url, tmp_path / "reader")
        yield made
        made.close()


def numbers_after(store: PostgresStore, last: int) -> list[int]:
    """The numbers above the last one that are visible."""
    with store.read() as db:
        found = db.rows("select value from counters where name like 'n%' and value > :last order by value", last=last)
    return [row["value"] for row in found]


@pytest.mark.timeout(600 if LONG else 120)
def test_a_reader_that_asks_for_what_is_new_misses_no_change_of_any_writer(store: PostgresStore, tmp_path: Path):
    services = []
    for number in range(SERVICES):
        (tmp_path / f"{number}").mkdir()
        words = [store.place.url, f"{tmp_path}/{number}", f"{THREADS}", f"{ROUNDS}"]
        services.append(subprocess.Popen([sys.executable, "-c", WRITING, *words]))
    last = polls = 0
    while any([each.poll() is None for each in services]):
        found = numbers_after(store, last)
        # A number that becomes visible after a higher one would be missing here, and never asked for again.
        assert found == list(range(last + 1, last + 1 + len(found)))
        last, polls = last + len(found), polls + bool(found)
    last += len(numbers_after(store, last))
    assert [each.returncode for each in services] == [0] * SERVICES
    assert last == SERVICES * THREADS * (ROUNDS - ROUNDS // 10)
    assert polls > 1
    while store.news.latest < last:  # each change is told too
        sleep(0.01)


@pytest.mark.skipif(not LONG, reason="a part of make test-long: the server waits for half a minute")
def test_a_host_that_stops_amid_a_transaction_holds_up_the_others_for_a_time_alone(
    store: PostgresStore, tmp_path: Path
):
    (tmp_path / "other").mkdir()
    words = [sys.executable, "-c", STOPPING, store.place.url, f"{tmp_path}/other"]
    with subprocess.Popen(words) as other:
        os.waitid(os.P_PID, other.pid, os.WSTOPPED)
        errors: list[sqlite3.OperationalError] = []
        while (error := refusal(store)) is not None:
            errors.append(error)
        other.send_signal(signal.SIGCONT)
        assert other.wait() == 0
    assert {trouble_of(error) for error in errors} == {Trouble.BUSY}
    with store.read() as db:
        assert [db.counter(name) for name in ("one", "stopped", "again")] == [1, None, 1]


def refusal(store: PostgresStore) -> sqlite3.OperationalError | None:
    """Why a write is refused; None where it is done."""
    try:
        with store.write() as db:
            db.set_counter("one", 1)
    except sqlite3.OperationalError as error:
        return error
    return None
