"""An asynchronous standby without the last changes takes the primary's place: kiosks bring theirs again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from time import sleep
from zoneinfo import ZoneInfo

import pytest

from kiosk.store.sqlite import Store
from sync.agent.client import Accepted, CentralClient
from sync.agent.cycle import Agent
from sync.cards import canonical_card, read_keys
from sync.central.kiosks.enrolment import new_code
from sync.central.records.incarnation import read_incarnation
from sync.clock import now_ms
from sync.ids import new_id
from sync.protocol import EnrolRequest
from tests.kiosk.parts import KioskParts
from tests.sync.central.centre import ZONE, Centre, card, hospital, patient
from tests.sync.central.databases import Cluster, Database
from tests.sync.central.online import Online
from tests.sync.central.standby import Standby, standby_of

ONE, OTHER = patient(1), patient(2)


@pytest.fixture
def standby(cluster: Cluster) -> Iterator[Standby]:
    with standby_of(cluster) as made:
        yield made


@pytest.fixture
def online(standby: Standby, cluster: Cluster, tmp_path: Path) -> Iterator[Online]:
    """A centre at the address that leads to the primary of the day."""
    with cluster.database() as url:
        database = Database(standby.through(url), tmp_path / "state")
        centre = Centre(tmp_path, clock=now_ms, filled=False, database=database)
        centre.take(hospital(f"{datetime.now(ZoneInfo(ZONE)).date()}", 4))
        made = Online(tmp_path, centre=centre)
        yield made
        made.close()
        cluster.stop()  # in case that no standby has taken over
        cluster.start()


def wait(so: Callable[[], object]) -> None:
    """Waits until the condition holds. The test's own time limit ends it."""
    while not so():
        sleep(0.05)


def incarnation(centre: Centre) -> str:
    with centre.store.read() as db:
        found = read_incarnation(db)
    assert found is not None
    return found.server_incarnation


def enrolled(online: Online, directory: Path) -> tuple[KioskParts, Agent]:
    """A kiosk of that centre, and its agent."""
    with online.centre.store.write() as db:
        code = new_code(db, now_ms())
    url = f"http://{online.host}"
    answer = CentralClient(url).enrol(EnrolRequest(code=code, name="Lobby", ticket_prefix="L"))
    assert isinstance(answer, Accepted)
    parts = KioskParts(Store(directory / "kiosk.db"))
    parts.ledger.enrol(answer.answer)
    client = CentralClient(url, answer.answer.token)
    return parts, Agent(parts.ledger, lambda: client, lambda _: None, random.Random(1))


def test_kiosks_bring_again_what_a_standby_lacks_that_takes_over(online: Online, standby: Standby, tmp_path: Path):
    kiosk, agent = enrolled(online, tmp_path)
    hashes = read_keys(tmp_path / "state/central.keys").hashes(canonical_card("iso14443a", bytes.fromhex(card(1))))
    first, action_id = incarnation(online.centre), new_id()

    def state(patient_id: str) -> object:
        answer = online.state(online.staff, patient_id=patient_id)
        return answer.json()["journey_state"] if answer.ok else answer.status_code

    agent.start()
    try:
        wait(lambda: kiosk.patient_of_card(hashes))
        kiosk.journeys.tap(hashes, ["scan_nfc"])
        agent.push_soon()
        wait(lambda: state(ONE) == "ARRIVED")
        standby.catch_up()
        standby.fall_behind()
        kiosk.journeys.act(ONE, "register", None, {})
        kiosk.journeys.act(ONE, "confirm_arrival", None, {})
        agent.push_soon()
        wait(lambda: kiosk.pending() == 0)
        assert (state(ONE), online.act(online.staff, "scan_nfc", action_id, patient_id=OTHER).status_code) == (
            "WAITING",
            200,
        )
        standby.take_over()
        wait(lambda: state(ONE) == "WAITING" and kiosk.pending() == 0)
    finally:
        agent.stop()
    assert incarnation(online.centre) != first
    assert state(OTHER) == "UNREGISTERED", "what an app or staff did in the lost time is gone"
    assert online.act(online.staff, "scan_nfc", action_id, patient_id=OTHER).status_code == 200
    done = online.centre.rows("select patient_id, action from transitions order by patient_id, change")
    expected = [(ONE, "scan_nfc"), (ONE, "register"), (ONE, "confirm_arrival"), (OTHER, "scan_nfc")]
    assert [tuple(row.values()) for row in done] == expected
