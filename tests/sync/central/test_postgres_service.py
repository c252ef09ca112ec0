"""The real `kiosk-central run` on PostgreSQL: a kiosk, staff and a crash of the database amid their actions."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from kiosk.store.sqlite import Store
from sync.agent.client import Accepted, CentralClient
from sync.agent.cycle import Agent
from sync.cards import canonical_card, read_keys
from sync.ids import new_id
from sync.protocol import EnrolRequest
from tests.kiosk.parts import KioskParts
from tests.sync.central.databases import Cluster, Database
from tests.sync.central.online import PATIENCE_S
from tests.sync.central.postgres_service import COMMAND, Service, wait

pytestmark = [pytest.mark.processes, pytest.mark.one_database]
PASSWORD = "not-to-be-shown"  # the server of the tests asks for none


@pytest.fixture
def database(cluster: Cluster, tmp_path: Path) -> Iterator[Database]:
    with cluster.bare() as url:
        yield Database(url.replace("postgres@", f"postgres:{PASSWORD}@"), tmp_path / "state")


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    made = Service(database)
    yield made
    made.kill()


def test_a_crash_of_the_database_amid_actions_loses_and_doubles_none(
    service: Service, database: Database, cluster: Cluster, tmp_path: Path
):
    people = json.loads(service.command("demo-data", "--json"))
    one, other = (person["patient_id"] for person in people[:2])
    staff = service.command("token", "--role", "staff", "--name", "desk").splitlines()[-1]
    code = service.command("enroll-code").splitlines()[0].split()[-1]
    enrolled = CentralClient(service.url).enrol(EnrolRequest(code=code, name="Lobby", ticket_prefix="L"))
    assert isinstance(enrolled, Accepted)
    assert database.state_dir is not None
    card = read_keys(database.state_dir / "central.keys").hashes(
        canonical_card("iso14443a", bytes.fromhex(people[0]["uid"]))
    )
    kiosk = KioskParts(Store(tmp_path / "kiosk.db"))
    kiosk.ledger.enrol(enrolled.answer)
    agent = Agent(
        kiosk.ledger, lambda: CentralClient(service.url, enrolled.answer.token), lambda _: None, random.Random(1)
    )

    def state(patient_id: str) -> str:
        return service.state(staff, patient_id)

    def act(action_type: str, action_id: str) -> requests.Response:
        return service.act(staff, action_type, action_id, other)

    agent.start()
    try:
        wait(lambda: kiosk.patient_of_card(card))
        kiosk.journeys.tap(card, ["scan_nfc"])
        agent.push_soon()
        wait(lambda: kiosk.pending() == 0)
        assert state(one) == "ARRIVED"
        cluster.stop(signal.SIGQUIT)
        kiosk.journeys.act(one, "register", None, {})
        kiosk.journeys.act(one, "confirm_arrival", None, {})
        agent.push_soon()
        action_id = new_id()
        refused = act("scan_nfc", action_id)
        assert (refused.status_code, refused.json()["code"], "Retry-After" in refused.headers) == (503, "busy", True)
        assert requests.get(f"{service.url}/healthz", timeout=PATIENCE_S).status_code == 503
        cluster.start()
        wait(lambda: act("scan_nfc", action_id).status_code == 200)
        assert act("scan_nfc", action_id).status_code == 200
        wait(lambda: kiosk.pending() == 0)
        assert state(one) == "WAITING"
    finally:
        agent.stop()
    service.command("check")
    code, error = service.stop()
    assert (code, PASSWORD in error) == (0, False)
    with_rows = database.open()
    with with_rows.read() as db:
        done = [(row["patient_id"], row["action"]) for row in db.rows("select patient_id, action from transitions")]
    with_rows.close()
    assert sorted(done) == sorted([(one, "scan_nfc"), (one, "register"), (one, "confirm_arrival"), (other, "scan_nfc")])


def test_a_second_service_and_a_database_that_is_not_there_are_told_in_words(service: Service, database: Database):
    named = ["--database", database.url, "--state-dir", str(database.state_dir)]
    elsewhere = ["--state-dir", f"{database.state_dir}2"]
    for words, said in (
        ([*named[:1], database.url.replace("host=", "host=/nowhere"), *elsewhere], "No such file"),
        (["--database", database.url], "--state-dir"),
        (named, "another service with this state directory is using it"),
        ([*named[:2], *elsewhere], "from the host that has it"),
    ):
        done = subprocess.run([*COMMAND, "run", *words], capture_output=True, text=True, check=False, env=os.environ)
        assert (done.returncode, said in done.stderr, PASSWORD in done.stderr) == (2, True, False), done.stderr
