"""The real `kiosk-central run`: it serves, is reached by commands, stops in time, and survives being killed."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from sync.central.frames import Begin
from sync.central.store.sqlite import SqliteStore
from sync.central.worker.parts import OpenCentre
from sync.central.worker.plan import Plan
from sync.control import ask, socket_path
from sync.database_check import take_clean_stop
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.centre import Centre
from tests.sync.central.online import PATIENCE_S, Socket, WholeClient

pytestmark = pytest.mark.processes
COMMAND = [sys.executable, "-m", "sync.central"]
PERFORM = "/api/v1/patient-journey/perform-action/"


class Process:
    """A running centre, and commands that reach it. With `trusted`, the file of a CA, it is reached over https."""

    def __init__(
        self, directory: Path, port: int = 0, *words: str, host: str = "127.0.0.1", trusted: Path | None = None
    ) -> None:
        self.path = directory / "centre.db"
        self.url = f"sqlite:///{self.path}"
        self.environment = {**os.environ, "HOME": str(directory)}
        self.process = subprocess.Popen(
            [*COMMAND, "run", "--create", "--database", self.url, "--listen", f"{host}:{port}", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        self.said = self.process.stdout.readline() if ready else ""
        scheme = "https" if trusted else "http"
        assert f"listens on {scheme}://" in self.said, self.process.communicate()
        self.address = self.said.strip().rpartition("//")[2].replace("0.0.0.0", "127.0.0.1")
        self.port = int(self.address.rpartition(":")[2])

    def command(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments[0].split(), "--database", self.url, *arguments[1:]],
            capture_output=True,
            text=True,
            env=self.environment,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout.strip()

    def demo_token(self) -> str:
        """Makes the demo hospital. Returns a token of its first patient."""
        demo = ask(socket_path(self.path), "demo-data")
        return str(ask(socket_path(self.path), "token", role="patient", patient_id=demo[0]["patient_id"])["token"])

    def act(self, token: str, action_type: str, action_id: str = "") -> requests.Response:
        return requests.post(
            f"http://{self.address}/api/v1/patient-journey/perform-action/",
            headers={"Authorization": f"Bearer {token}"},
            json={"action_type": action_type, "action_id": action_id or new_id()},
            timeout=PATIENCE_S,
        )

    def state(self, token: str) -> str:
        return requests.get(
            f"http://{self.address}/api/v1/patient-journey/current-state/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE_S,
        ).json()["journey_state"]

    def open_socket(self, token: str) -> Socket:
        return Socket(
            WholeClient(f"ws://{self.address}/ws/patient-journey/", headers={"Authorization": f"Bearer {token}"})
        )

    def stop(self, how: int = signal.SIGTERM) -> tuple[int, str]:
        """Stops the process. Returns its exit code and its standard error."""
        self.process.send_signal(how)
        try:
            _, error = self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()
        return self.process.returncode, error


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(port: int = 0, *words: str) -> Process:
        started.append(Process(tmp_path, port, *words))
        return started[-1]

    yield begin
    for each in started:
        each.process.kill()
        each.process.communicate()


def test_it_serves_and_commands_reach_it_while_it_runs(start):
    centre = start()
    assert requests.get(f"http://{centre.address}/healthz", timeout=PATIENCE_S).json() == {"status": "ok"}
    empty = requests.get(
        f"http://{centre.address}/api/v1/patient-journey/current-state/",
        headers={"Authorization": f"Bearer {centre.command('token', '--role', 'staff', '--name', 'desk')}"},
        params={"patient_id": "x"},
        timeout=PATIENCE_S,
    )
    assert (empty.status_code, empty.json()["code"]) == (503, "no_site")
    patients = json.loads(centre.command("demo-data", "--json"))
    token = centre.command("token", "--role", "patient", "--patient", patients[0]["patient_id"])
    assert centre.act(token, "scan_nfc").json()["journey_state"] == "ARRIVED"
    assert "-" in centre.command("enroll-code")
    assert json.loads(centre.command("kiosks list", "--json")) == []
    assert json.loads(centre.command("check", "--json"))["journey_states"]["ARRIVED"] == 1
    watching = centre.open_socket(token)
    assert watching.next()["type"] == "initial_state"
    centre.command("token-revoke", token)
    assert watching.closed() == 4401
    assert socket_path(centre.path).stat().st_mode & 0o077 == 0
    assert centre.stop() == (0, "")
    assert not socket_path(centre.path).exists()
    assert json.loads(centre.command("check", "--json"))["ok"]


def test_a_service_that_drains_serves_on_and_sends_load_balancers_elsewhere(start):
    centre = start(0, "--drain", "300")
    token = centre.demo_token()
    kept, watching = requests.Session(), centre.open_socket(token)
    watching.until("initial_state")
    assert "close" not in kept.get(f"http://{centre.address}/healthz", timeout=PATIENCE_S).headers.get("Connection", "")
    centre.process.send_signal(signal.SIGTERM)
    assert watching.closed() == 1001
    told = kept.get(f"http://{centre.address}/healthz", timeout=PATIENCE_S)
    assert (told.status_code, told.json(), told.headers["Connection"]) == (503, {"status": "draining"}, "close")
    acted = centre.act(token, "scan_nfc")
    assert (acted.status_code, acted.headers["Connection"]) == (200, "close")
    assert centre.stop() == (0, "")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_time_with_sockets_open_and_connections_kept(start, how):
    centre = start()
    token = centre.demo_token()
    sockets = [centre.open_socket(token) for _ in range(5)]
    for each in sockets:
        each.next()
    kept = requests.Session()
    kept.get(f"http://{centre.address}/healthz", timeout=PATIENCE_S)
    silent = [socket.create_connection(("127.0.0.1", centre.port)) for _ in range(3)]
    code, error = centre.stop(how)
    assert (code, error) == (0, "")
    assert {each.closed() for each in sockets} == {1001}
    assert take_clean_stop(centre.path), "the worker ended by itself, before its time was over"
    for each in silent:
        each.close()
    kept.close()


def test_a_kill_loses_nothing_that_was_answered_and_a_new_start_goes_on(start):
    centre = start()
    token = centre.demo_token()
    action_id = new_id()
    answer = centre.act(token, "scan_nfc", action_id)
    for state, action in (("REGISTERED", "register"), ("WAITING", "confirm_arrival")):
        centre.process.kill()
        centre.process.communicate()
        centre = start(centre.port)
        assert centre.act(token, "scan_nfc", action_id).content == answer.content
        assert centre.act(token, action).json()["journey_state"] == state
    assert centre.state(token) == "WAITING"
    assert ask(socket_path(centre.path), "check")["ok"]


def test_a_worker_that_dies_is_started_anew(start):
    centre = start()
    token = centre.demo_token()
    centre.act(token, "scan_nfc")
    children = Path(f"/proc/{centre.process.pid}/task/{centre.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    until = time.monotonic() + PATIENCE_S
    action_id = new_id()
    while (answer := centre.act(token, "register", action_id)).status_code == 503:
        assert (answer.json()["code"], time.monotonic() < until) == ("busy", True)
    assert answer.json()["journey_state"] == "REGISTERED"
    code, _ = centre.stop()
    assert code == 0


def test_a_second_one_on_its_port_is_refused_in_one_line(start):
    centre = start()
    second = subprocess.run(
        [*COMMAND, "run", "--create", "--database", f"{centre.url}.other", "--listen", centre.address],
        capture_output=True,
        text=True,
        env=centre.environment,
        check=False,
    )
    assert (second.returncode, len(second.stderr.strip().splitlines())) == (2, 1)
    assert "in use" in second.stderr
    assert centre.stop() == (0, "")


def test_garbage_on_the_port_is_survived_and_says_nothing_of_itself(start):
    centre = start()
    for garbage in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 70_000, b""):
        with socket.create_connection(("127.0.0.1", centre.port)) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(PATIENCE_S)
            try:
                while connection.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    assert requests.get(f"http://{centre.address}/healthz", timeout=PATIENCE_S).status_code == 200
    assert centre.stop()[0] == 0


IMPATIENT = """
import sys
from pathlib import Path
from sync.central.gateway.gateway import Shares
from sync.central.gateway.listening import listen
from sync.central.gateway.program import Command
from sync.central.server import Port, serve
from sync.central.tls.certificate import ServedCertificate
from sync.central.worker.plan import Plan
certificate = ServedCertificate(Path(sys.argv[2]), Path(sys.argv[3])) if sys.argv[2:] else None
listener = listen("127.0.0.1:0")
port = Port(listener, begun=lambda: print(listener.getsockname()[1], flush=True))
serve(port, [Command(*Plan(url=sys.argv[1]).words())], certificate, shares=Shares(patience_s=0.3))
"""


def test_a_peer_that_stops_in_the_middle_of_a_request_is_given_up(tmp_path):
    centre = Centre(tmp_path)
    token = centre.token(Role.STAFF)
    centre.store.close()
    command = [sys.executable, "-c", IMPATIENT, centre.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline())
        head = (
            f"POST {PERFORM} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
        )
        answers = [_begin_request(port, "GET /healthz HTTP/1.1\r\nHost:")]
        # A slow machine may have sent nothing before the time is over.
        while not (answer := _begin_request(port, f"{head}Content-Length: 99\r\n\r\n{{")):
            pass
        answers.append(answer)
        process.terminate()
        assert (answers, process.communicate()[1]) == ([b"", b"HTTP/1.1 408"], "")


def _begin_request(port: int, part: str) -> bytes:
    """Sends a part of a request, and waits for the beginning of its answer or for the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        try:
            connection.sendall(part.encode())
            return connection.recv(12)
        except ConnectionError:
            return b""


def test_a_database_is_let_go_where_the_control_socket_cannot_be_made(tmp_path):
    url = f"sqlite:///{tmp_path}/centre.db"
    SqliteStore(url).close()
    socket_path(tmp_path / "centre.db").mkdir()
    opened = OpenCentre(Plan(url=url))
    with pytest.raises(OSError, match=r"centre\.db\.sock"):
        opened.begin(Begin())
    SqliteStore(url).close()
