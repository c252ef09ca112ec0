"""Pulls that wait behind the real gateway: they hold no thread, and a client that leaves gives its place back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sync.central.records.tokens import issue
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.central.worker.calls import THREADS
from sync.journey.model import Role
from sync.protocol import Enrolment, PullRequest
from tests.sync.central.gateway.in_thread import GatewayInThread, WorkerInThread
from tests.sync.central.held import Held
from tests.sync.central.online import PATIENCE_S
from tests.sync.central.wire import Centre, Time


class Hall:
    """A centre behind its gateway."""

    def __init__(self, directory: Path, most_waiting: int) -> None:
        self.centre = Centre(directory / "centre.db", Time())
        with self.centre.store.write() as db:
            self.staff = issue(db, Role.STAFF, self.centre.time())
        app = create_app(self.centre.parts, SocketPlaces(4), most_waiting)
        self.gateway = GatewayInThread([WorkerInThread(app, self.centre.store.news.close)])
        self.url = f"http://127.0.0.1:{self.gateway.port}"

    def pull(self, kiosk: Enrolment, cursor: int, wait_s: float) -> Held:
        request = PullRequest(
            protocol_version=2,
            site_id=kiosk.site_id,
            kiosk_id=kiosk.kiosk_id,
            epoch=1,
            cursor=cursor,
            server_incarnation="first",
            definitions_version=kiosk.definitions["version"],
            wait_s=wait_s,
        )
        return Held(self.gateway.port, kiosk.token, request)

    def act(self, action_type: str, patient_id: str) -> requests.Response:
        body = {"action_type": action_type, "action_id": "01900000-0000-7000-8000-000000000001"}
        body |= {"payload": {"patient_id": patient_id}}
        path = "/api/v1/patient-journey/perform-action/"
        headers = {"Authorization": f"Bearer {self.staff}", "Content-Type": "application/json"}
        return requests.post(self.url + path, json.dumps(body), headers=headers, timeout=PATIENCE_S)

    def close(self) -> None:
        self.gateway.close()
        self.centre.store.close()


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    made = Hall(tmp_path, 1000)
    yield made
    made.close()


def test_more_kiosks_wait_than_the_worker_has_threads_and_an_action_reaches_all_of_them(hall: Hall):
    kiosks = [hall.centre.enrol() for _ in range(THREADS + 20)]
    cursors = {hall.pull(each, 0, 0.0).answer().cursor for each in kiosks}
    held = [hall.pull(each, max(cursors), 25.0) for each in kiosks]
    assert hall.act("scan_nfc", "P3").status_code == 200
    told = [each.answer() for each in held]
    assert {tuple(row.patient_id for row in each.patients) for each in told} == {("P3",)}


def test_a_client_that_leaves_gives_its_place_back(tmp_path: Path):
    hall = Hall(tmp_path, 1)
    one, two = hall.centre.enrol(), hall.centre.enrol()
    cursor = hall.pull(one, 0, 0.0).answer().cursor
    hall.pull(two, 0, 0.0).answer()
    held = hall.pull(one, cursor, 25.0)
    while hall.pull(two, cursor, 0.01).answer().retry_after_s is None:
        if held.is_answered:  # the other one had the place when this one came
            held.answer()
            held = hall.pull(one, cursor, 25.0)
    held.connection.close()
    while hall.pull(two, cursor, 0.01).answer().retry_after_s is not None:
        pass
    hall.close()


def test_a_stop_answers_the_pulls_that_wait(tmp_path: Path):
    hall = Hall(tmp_path, 1000)
    kiosk = hall.centre.enrol()
    cursor = hall.pull(kiosk, 0, 0.0).answer().cursor
    held = hall.pull(kiosk, cursor, 25.0)
    beside = hall.centre.enrol()
    hall.pull(beside, 0, 0.0).answer()  # the first one has come by then
    hall.close()
    assert held.answer().cursor == cursor
