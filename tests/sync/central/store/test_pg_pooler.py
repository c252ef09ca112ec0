"""Behind pgbouncer in transaction mode, where each transaction may have another session of the server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from sync.central.store.errors import StoreError, Trouble, trouble_of
from sync.central.store.postgres import PostgresStore
from tests.sync.central.centre import Centre, patient
from tests.sync.central.databases import Cluster, Database
from tests.sync.central.pooler import Pooler

pytestmark = pytest.mark.one_database
WALK = ("scan_nfc", "register", "confirm_arrival")
SETTINGS = "select current_setting('lock_timeout'), current_setting('synchronous_commit')"


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    with cluster.database() as url:
        yield url


@pytest.fixture
def pooled(url: str, pooler: Pooler) -> str:
    return pooler.through(url)


@pytest.fixture
def centre(url: str, pooled: str, tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path, database=Database(pooled, tmp_path / "state", direct=url))
    yield made
    made.store.close()


def test_without_a_way_past_it_a_service_does_not_start(pooled: str, tmp_path: Path):
    with pytest.raises(StoreError, match="--direct-database"):
        PostgresStore(pooled, tmp_path)


def test_eight_threads_do_their_work_over_two_sessions(centre: Centre):
    people = [patient(number) for number in range(1, 17) if number % 5]
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda each: centre.walk(each, *WALK), people))
    assert {state["journey_state"] for state in states} == {"WAITING"}
    assert len({state["queue_details"][0]["queue_number"] for state in states}) == len(people)
    done = centre.rows("select patient_id, count(*) as number from transitions group by patient_id order by patient_id")
    assert done == [{"patient_id": each, "number": len(WALK)} for each in people]


def test_each_transaction_has_our_settings_and_no_other_client_gets_them(url: str, pooled: str, centre: Centre):
    with psycopg.connect(url) as connection:
        before = connection.execute(SETTINGS).fetchone()
    for brief in (True, False):
        with centre.store.write(brief=brief) as db:
            assert tuple(db.rows(SETTINGS)[0]) == ("5s", "on")
    with psycopg.connect(pooled) as connection:
        assert connection.execute(SETTINGS).fetchone() == before


def test_a_pooler_that_goes_and_comes_back_is_trouble_for_its_time(centre: Centre, pooler: Pooler):
    assert centre.act(patient(1), "scan_nfc").done
    pooler.kill()
    with pytest.raises(sqlite3.OperationalError) as failed:
        centre.act(patient(1), "register")
    assert trouble_of(failed.value) is Trouble.CANNOT_OPEN
    pooler.start()
    assert centre.act(patient(1), "register").done
    assert centre.state(patient(1))["journey_state"] == "REGISTERED"
    assert centre.rows("select count(*) as number from transitions") == [{"number": 2}]
