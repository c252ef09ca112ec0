"""The real `kiosk-central run` with two workers on PostgreSQL: each one's deeds count at the other."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from sync.agent.client import Accepted, CentralClient
from sync.central.gateway.routing import place_of
from sync.central.network.bearer import SESSION, token_id_of
from sync.control import ControlError, NotRunning
from sync.ids import new_id
from sync.protocol import Enrolment, EnrolRequest, PullRequest
from sync.visit_secret import hash_of_secret, make_secret
from tests.sync.central.conftest import LONG
from tests.sync.central.databases import Cluster, Database
from tests.sync.central.feed.receiver import WebhookReceiver
from tests.sync.central.held import Held
from tests.sync.central.postgres_service import Service, wait

pytestmark = [pytest.mark.processes, pytest.mark.one_database, pytest.mark.xdist_group("two workers")]
KILLS = 50 if LONG else 2
PATIENTS = 130 + 30 * KILLS
STAFF: dict[str, object] = {"role": "staff", "name": "desk"}


class Ward:
    """A service with two workers, and patients whom no test has used yet."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self.service = Service(database, workers=2)
        file = directory / "hospital.json"
        file.write_text(json.dumps(_hospital()), "utf-8")
        self.service.command("import", str(file))
        self._patients = map("P{}".format, itertools.count())

    def newcomer(self) -> str:
        return next(self._patients)

    def done(self, patient_id: str) -> list[str]:
        """The actions that counted for a patient, in their order."""
        with psycopg.connect(self.database.url) as rows:
            found = rows.execute("select action from transitions where patient_id = %s order by change", [patient_id])
            return [action for (action,) in found]

    def await_both(self) -> None:
        """Waits until both workers are there again, and commands reach the main one."""
        wait(lambda: len(self.service.worker_pids()) == 2)
        while True:
            with suppress(NotRunning, ControlError):
                self.service.ask("check")
                return


def _hospital() -> dict[str, Any]:
    return {
        "site": {"name": "Ward", "desk": "DESK"},
        "exams": [{"exam_id": "DESK", "title": "Reception", "public_label": "접수", "room": "1"}],
        "patients": [{"patient_id": f"P{n}", "name": f"가나다{n}", "cards": [f"04{n:012x}"]} for n in range(PATIENTS)],
    }


@pytest.fixture(scope="module")
def ward(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    directory = tmp_path_factory.mktemp("ward")
    with cluster.bare() as url:
        made = Ward(Database(url, directory / "state"), directory)
        yield made
        made.service.kill()


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
def test_a_patients_socket_hears_what_the_desk_does_at_the_other_worker(ward: Ward, places: tuple[int, int]):
    patient_id = ward.newcomer()
    desk = ward.service.token(places[0], **STAFF)
    watching = ward.service.open_socket(ward.service.token(places[1], role="patient", patient_id=patient_id))
    assert watching.until("initial_state")["payload"]["journey_state"] == "UNREGISTERED"
    for action_type, state in (("scan_nfc", "ARRIVED"), ("register", "REGISTERED")):
        assert ward.service.act(desk, action_type, new_id(), patient_id).status_code == 200
        assert watching.until("state_update")["payload"]["journey_state"] == state
    watching.client.close()


def test_a_kiosk_that_waits_is_told_what_happens_at_the_other_worker(ward: Ward):
    kiosk = _Kiosk(ward.service)
    beside = _Kiosk(ward.service, kiosk.place)
    desk = ward.service.token(1 - kiosk.place, **STAFF)
    page = kiosk.pull(0, 0.0).answer()
    while page.more:
        page = kiosk.pull(page.cursor, 0.0).answer()
    for _ in range(4):
        waiting, patient_id = kiosk.pull(page.cursor, 30.0), ward.newcomer()
        beside.pull(0, 0.0).answer()  # the first one has come by then
        assert ward.service.act(desk, "scan_nfc", new_id(), patient_id).status_code == 200
        page = waiting.answer()
        while patient_id not in [row.patient_id for row in page.patients]:
            page = kiosk.pull(page.cursor, 30.0).answer()


class _Kiosk:
    """A kiosk that the worker of a place serves, or any worker."""

    def __init__(self, service: Service, place: int | None = None) -> None:
        self._port = int(service.url.rpartition(":")[2])
        self._enrolment = self._enrol(service)
        while place is not None and self.place != place:
            self._enrolment = self._enrol(service)

    def _enrol(self, service: Service) -> Enrolment:
        code = service.ask("enroll-code")["code"]
        enrolled = CentralClient(service.url).enrol(EnrolRequest(code=code, name="Lobby"))
        assert isinstance(enrolled, Accepted)
        self.place = place_of(token_id_of(enrolled.answer.token), 2)
        return enrolled.answer

    def pull(self, cursor: int, wait_s: float) -> Held:
        request = PullRequest(
            protocol_version=2,
            site_id=self._enrolment.site_id,
            kiosk_id=self._enrolment.kiosk_id,
            epoch=1,
            cursor=cursor,
            server_incarnation=self._enrolment.server_incarnation,
            definitions_version=self._enrolment.definitions["version"],
            wait_s=wait_s,
        )
        return Held(self._port, self._enrolment.token, request)


@pytest.mark.parametrize("place", [0, 1])
def test_a_token_that_is_revoked_is_refused_by_every_worker_and_its_socket_closes(ward: Ward, place: int):
    patient_id = ward.newcomer()
    token = ward.service.token(place, role="patient", patient_id=patient_id)
    watching = ward.service.open_socket(token)
    watching.until("initial_state")
    assert ward.service.act(token, "scan_nfc", new_id(), patient_id).status_code == 200
    ward.service.ask("token-revoke", token=token)
    assert ward.service.act(token, "register", new_id(), patient_id).status_code == 401
    assert watching.closed() == 4401


@pytest.mark.parametrize("place", [0, 1])
def test_a_cookie_opens_the_socket_at_the_worker_of_its_token_and_ends_by_itself(ward: Ward, place: int):
    token = ward.service.token(place, role="patient", patient_id=ward.newcomer())
    session = ward.service.call("POST", "/session/", token).cookies[SESSION]
    page = {"Cookie": f"{SESSION}={session}", "Origin": ward.service.url}
    watching = ward.service.open_socket(None, **page)
    watching.until("initial_state")
    ended = requests.delete(f"{ward.service.url}/api/v1/session/", headers=page, timeout=30)
    assert ended.json() == {"ended": True}
    assert watching.closed() == 4401


@pytest.mark.parametrize("place", [0, 1])
def test_a_visit_that_ends_at_another_worker_closes_the_socket_of_its_code(ward: Ward, place: int):
    patient_id, desk = ward.newcomer(), ward.service.token(place, **STAFF)
    for action_type in ("scan_nfc", "register", "confirm_arrival"):
        assert ward.service.act(desk, action_type, new_id(), patient_id).status_code == 200
    secret = make_secret()
    while place_of(token_id_of(secret), 2) == place:
        secret = make_secret()
    with psycopg.connect(ward.database.url) as rows:
        rows.execute(
            "insert into tokens (token_hash, role, patient_id, name, created_ms, visit_id, wrong_tries)"
            " select %s, 'visit', patient_id, '', 0, visit_id, 0 from journeys where patient_id = %s",
            [hash_of_secret(secret), patient_id],
        )
    watching = ward.service.open_socket(secret)
    assert watching.until("initial_state")["payload"]["journey_state"] == "WAITING"
    for action_type in (
        "call_patient",
        "start_exam",
        "complete_exam",
        "make_payment",
        "make_payment",
        "leave_hospital",
    ):
        assert ward.service.act(desk, action_type, new_id(), patient_id).status_code == 200
    assert watching.closed() == 4401


def test_one_action_that_comes_to_both_workers_at_the_same_time_is_done_once(ward: Ward):
    desks = [ward.service.token(place, **STAFF) for place in (0, 1)]
    together = threading.Barrier(2)
    with ThreadPoolExecutor(2) as both:

        def act(desk: str, action_id: str, patient_id: str) -> requests.Response:
            together.wait()
            return ward.service.act(desk, "scan_nfc", action_id, patient_id)

        for _ in range(20):
            action_id, patient_id = new_id(), ward.newcomer()
            answers = list(both.map(lambda desk: act(desk, action_id, patient_id), desks))  # noqa: B023
            assert [each.status_code for each in answers] == [200, 200]
            assert answers[0].content == answers[1].content
            assert ward.done(patient_id) == ["scan_nfc"]


def test_one_of_two_who_do_the_same_to_a_patient_is_told_that_it_is_done(ward: Ward):
    desks = [ward.service.token(place, **STAFF) for place in (0, 1)]
    together = threading.Barrier(2)

    def act(desk: str) -> int:
        together.wait()
        return ward.service.act(desk, "scan_nfc", new_id(), patient_id).status_code

    for _ in range(20):
        patient_id = ward.newcomer()
        with ThreadPoolExecutor(2) as both:
            assert max(both.map(act, desks)) < 500
        assert ward.done(patient_id) == ["scan_nfc"]


@pytest.mark.timeout(900 if LONG else 120)
def test_the_death_of_a_worker_under_load_loses_and_doubles_nothing(ward: Ward):
    desks = [ward.service.token(place, **STAFF) for place in (0, 1)] * 3
    number = 30 * KILLS
    patients = iter([ward.newcomer() for _ in range(number)])
    acted: list[str] = []
    killed: set[int] = set()
    lock = threading.Lock()

    def desk(token: str) -> None:
        while True:
            with lock:
                patient_id = next(patients, None)
            if patient_id is None:
                return
            for action_type in ("scan_nfc", "register"):
                _until_done(ward.service, token, action_type, patient_id)
            acted.append(patient_id)

    with ThreadPoolExecutor(len(desks)) as pool:
        working = [pool.submit(desk, token) for token in desks]
        for kill in range(KILLS):  # the one that has lived longest, so one after the other
            wait(lambda: len(acted) >= 30 * kill + 5 or all(each.done() for each in working))  # noqa: B023
            wait(lambda: len(ward.service.worker_pids() - killed) == 2)
            oldest = min(ward.service.worker_pids() - killed)
            os.kill(oldest, signal.SIGKILL)
            killed.add(oldest)
        for each in working:
            each.result()
    assert [ward.done(patient_id) for patient_id in acted] == [["scan_nfc", "register"]] * number
    ward.await_both()


def _until_done(service: Service, token: str, action_type: str, patient_id: str) -> None:
    """Sends an action until it is answered, as apps do."""
    action_id = new_id()
    while True:
        with suppress(requests.ConnectionError):
            answer = service.act(token, action_type, action_id, patient_id)
            if answer.status_code != 503:
                assert answer.status_code == 200, answer.text
                return


def test_commands_reach_the_main_worker_while_another_serves_too(ward: Ward):
    ward.service.token(1, **STAFF)
    assert ward.service.ask("check")["damage"] is None
    assert "desk" in ward.service.command("tokens")


def test_both_workers_stop_in_order(cluster: Cluster, tmp_path: Path):
    with cluster.bare() as url:
        service = Service(Database(url, tmp_path / "state"), workers=2)
        wait(lambda: len(service.worker_pids()) == 2)
        assert service.stop() == (0, "")
        assert Service(Database(url, tmp_path / "state")).stop() == (0, "")


# The hospital's system.

ARRIVAL = ("scan_nfc", "register", "confirm_arrival")
NEWCOMERS = 20


def arrive(ward: Ward, token: str, patient_id: str) -> None:
    """A patient arrives and gets a number, however often a worker dies meanwhile."""
    for action_type in ARRIVAL:
        action_id = new_id()
        while True:
            with suppress(requests.RequestException):
                if ward.service.act(token, action_type, action_id, patient_id).ok:
                    break


def events(ward: Ward, token: str, **query: Any) -> Any:
    answer = ward.service.call("GET", "/events/", token, params=query)
    assert answer.ok, answer.text
    return answer.json()


def test_a_reader_of_the_feed_misses_nothing_while_two_workers_write(ward: Ward):
    writers = [ward.service.token(place, **STAFF) for place in (0, 1)]
    engine = ward.service.token(0, role="integration", name="Engine")
    begin = cursor = events(ward, engine, after="now")["cursor"]
    people = [ward.newcomer() for _ in range(NEWCOMERS)]
    read: list[str] = []
    with ThreadPoolExecutor(8) as pool:
        arrivals = [pool.submit(arrive, ward, writers[n % 2], each) for n, each in enumerate(people)]
        while len(read) < 2 * NEWCOMERS:
            page = events(ward, engine, after=cursor, wait=25, limit=3)
            read += [event["id"] for event in page["events"]]
            cursor = page["cursor"]
        for each in arrivals:
            each.result()
    again = events(ward, engine, after=begin, limit=500)["events"]
    assert read == [event["id"] for event in again]
    assert len(set(read)) == 2 * NEWCOMERS


def test_a_webhook_gets_every_event_in_order_while_workers_are_killed(ward: Ward):
    receiver = WebhookReceiver()
    receiver.secret = str(ward.service.ask("webhook-add", url=receiver.url, types=["arrived"])["secret"])
    token = ward.service.token(1, **STAFF)
    people = [ward.newcomer() for _ in range(6)]
    for number, each in enumerate(people):
        arrive(ward, token, each)
        if number % 2:
            os.kill(next(iter(ward.service.worker_pids())), signal.SIGKILL)
            ward.await_both()
    receiver.wait_until(lambda: len({message["data"]["patient_id"] for message in receiver.taken}) == len(people))
    first_told = list(dict.fromkeys(message["data"]["patient_id"] for message in receiver.taken))
    assert first_told == people
    (webhook,) = ward.service.ask("webhooks")
    ward.service.ask("webhook-remove", webhook_id=webhook["webhook_id"])
    receiver.close()
