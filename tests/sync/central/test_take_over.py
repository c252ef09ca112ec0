"""A second service takes the port of the first one over, under load, with sockets open."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import requests
from simple_websocket import ConnectionClosed

from sync import unix_socket
from sync.agent.client import Accepted, CentralClient
from sync.central.gateway.handover import NotGiven, find_predecessor
from sync.ids import new_id
from sync.protocol import EnrolRequest, PullRequest
from tests.sync.central.databases import Cluster, Database
from tests.sync.central.online import API, PATIENCE_S
from tests.sync.central.postgres_service import Service, wait

pytestmark = [pytest.mark.processes, pytest.mark.one_database, pytest.mark.xdist_group("two workers")]
PATIENTS = 4_000
DESKS, WATCHERS, TAKE_OVERS, READS = 4, 8, 2, 6
LEFT = (0, "INFO sync.central.gateway.handover: another service has taken the port over\n")
STAFF: dict[str, object] = {"role": "staff", "name": "desk"}


class House:
    """One database, and the services that serve it from state directories of their own."""

    def __init__(self, url: str, directory: Path) -> None:
        self._url = url
        self._directory = directory
        self.services: list[Service] = []

    def state_dir(self, name: str) -> Path:
        """The state directory of a service. It has the card keys of the first one."""
        made = self._directory / name
        made.mkdir(exist_ok=True)
        first = self._directory / "blue" / "central.keys"
        if first.exists() and not (made / first.name).exists():
            shutil.copy(first, made)
        return made

    def serve(self, name: str, *more: str) -> Service:
        made = Service(Database(self._url, self.state_dir(name)), more=more)
        self.services.append(made)
        return made

    def succeed(self, name: str, predecessor: str) -> Service:
        return self.serve(name, "--take-over", str(self.state_dir(predecessor)))

    def done(self) -> list[tuple[str, str]]:
        """The actions that counted, with their patients, in their order."""
        with psycopg.connect(self._url) as rows:
            return rows.execute("select patient_id, action from transitions order by change").fetchall()


@pytest.fixture
def house(cluster: Cluster, tmp_path: Path) -> Iterator[House]:
    with cluster.bare() as url:
        made = House(url, tmp_path)
        yield made
        for service in made.services:
            service.kill()


@pytest.fixture
def blue(request: pytest.FixtureRequest, house: House, tmp_path: Path) -> Service:
    """The first service. A test that names a number of patients has so many."""
    patients = getattr(request, "param", 1)
    made = house.serve("blue")
    file = tmp_path / "hospital.json"
    document = {
        "site": {"name": "House", "desk": "DESK"},
        "exams": [{"exam_id": "DESK", "title": "Reception", "public_label": "접수", "room": "1"}],
        "patients": [{"patient_id": f"P{n}", "name": f"가나다{n}", "cards": [f"04{n:012x}"]} for n in range(patients)],
    }
    file.write_text(json.dumps(document), "utf-8")
    made.command("import", str(file))
    return made


class Load:
    """People and kiosks at one address, each on connections that stay open. None of them tries anything twice."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._token = service.token(0, **STAFF)
        self._patients = (f"P{number}" for number in range(PATIENTS - WATCHERS))
        self._working: list[Future[None]] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acted: list[tuple[str, str]] = []
        self.pulls = 0
        self.closed: list[int] = []

    def run(self, during: Callable[[], None]) -> None:
        """Acts, pulls and watches until `during` has ended. Raises what any of them met."""
        with ThreadPoolExecutor(DESKS + WATCHERS + 1) as pool:
            self._working = [pool.submit(self._act) for _ in range(DESKS)]
            self._working += [pool.submit(self._watch, f"P{PATIENTS - 1 - n}") for n in range(WATCHERS)]
            self._working += [pool.submit(self._pull)]
            try:
                during()
            finally:
                self._stop.set()
            for each in self._working:
                each.result()

    def go_on(self) -> None:
        """Waits until people and kiosk have done some more, or one of them has failed."""
        acted, pulls = len(self.acted), self.pulls
        wait(
            lambda: (len(self.acted) > acted + 20 and self.pulls > pulls) or any(each.done() for each in self._working)
        )

    def _act(self) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {self._token}"
            while not self._stop.is_set():
                with self._lock:
                    patient_id = next(self._patients)
                for action_type in ("scan_nfc", "register"):
                    body = {"action_type": action_type, "action_id": new_id(), "payload": {"patient_id": patient_id}}
                    url = f"{self._service.url}{API}/patient-journey/perform-action/"
                    answer = session.post(url, json=body, timeout=PATIENCE_S)
                    assert answer.status_code == 200, answer.text
                    self.acted.append((patient_id, action_type))
                for _ in range(READS):
                    url = f"{self._service.url}{API}/patient-journey/current-state/"
                    answer = session.get(url, params={"patient_id": patient_id}, timeout=PATIENCE_S)
                    assert answer.json()["journey_state"] == "REGISTERED", answer.text

    def _watch(self, patient_id: str) -> None:
        token = self._service.token(0, role="patient", patient_id=patient_id)
        while not self._stop.is_set():
            watching = self._service.open_socket(token)
            watching.until("initial_state")
            try:
                while not self._stop.is_set():
                    watching.client.receive(timeout=0.05)
                watching.client.close()
            except ConnectionClosed as end:
                self.closed.append(int(end.reason))

    def _pull(self) -> None:
        code = self._service.ask("enroll-code")["code"]
        enrolled = CentralClient(self._service.url).enrol(EnrolRequest(code=code, name="Lobby"))
        assert isinstance(enrolled, Accepted)
        own = enrolled.answer
        kiosk = CentralClient(self._service.url, own.token)
        cursor = 0
        while not self._stop.is_set():
            request = PullRequest(
                protocol_version=2,
                site_id=own.site_id,
                kiosk_id=own.kiosk_id,
                epoch=1,
                cursor=cursor,
                server_incarnation=own.server_incarnation,
                definitions_version=own.definitions["version"],
                wait_s=25.0,
            )
            pulled = kiosk.pull(request)
            assert isinstance(pulled, Accepted), pulled
            cursor = pulled.answer.cursor
            self.pulls += 1


@pytest.mark.parametrize("blue", [PATIENTS], indirect=True)
def test_successors_under_load_refuse_nobody_and_each_action_counts_once(house: House, blue: Service):
    load = Load(blue)

    def take_turns() -> None:
        names, serving = ["blue", "green"], blue
        for turn in range(TAKE_OVERS):
            load.go_on()
            successor = house.succeed(names[(turn + 1) % 2], names[turn % 2])
            assert successor.url == serving.url
            assert serving.ended() == LEFT
            serving = successor
        load.go_on()

    load.run(take_turns)
    assert sorted(house.done()) == sorted(load.acted)
    assert load.closed == [1001] * WATCHERS * TAKE_OVERS
    assert house.services[-1].stop() == (0, "")


def test_without_a_predecessor_a_service_listens_by_itself(house: House, blue: Service):
    assert blue.stop() == (0, "")
    assert house.succeed("green", "blue").url != blue.url


def test_a_successor_that_dies_before_it_serves_changes_nothing(house: House, blue: Service):
    (house.state_dir("green") / "central.keys").write_text("", "ascii")
    with pytest.raises(AssertionError, match="key file"):
        house.succeed("green", "blue")
    for last_word in (b"", b"+", b"nonsense\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            unix_socket.connect(connection, house.state_dir("blue") / "central.handover")
            connection.sendall(last_word)
    assert requests.get(f"{blue.url}/healthz", timeout=PATIENCE_S).json() == {"status": "ok"}
    (house.state_dir("green") / "central.keys").unlink()
    assert house.succeed("green", "blue").url == blue.url
    assert blue.ended() == LEFT


def test_the_port_is_not_given_to_a_service_of_another_database(house: House, blue: Service, tmp_path: Path):
    with pytest.raises(NotGiven, match="another database"):
        find_predecessor(house.state_dir("blue") / "central.handover", new_id())
    assert find_predecessor(tmp_path / "nobody" / "central.handover", new_id()) is None
