"""The real `kiosk-central run` beyond loopback: https by itself, a proxy's https, or the operator's consent."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from wsgiref.types import StartResponse

import pytest
import requests

from sync.central.gateway.gateway import Shares
from sync.central.store.sqlite import SqliteStore
from sync.central.tls.certificate import ServedCertificate
from sync.database_check import take_clean_stop
from tests.sync.central.gateway.in_thread import GatewayInThread, WorkerInThread
from tests.sync.central.online import PATIENCE_S, Socket, WholeClient
from tests.sync.central.test_server import COMMAND, Process
from tests.sync.central.tls.conftest import Files

pytestmark = pytest.mark.processes
SILENT = 200


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


class Https(Process):
    """A centre that serves https itself."""

    def __init__(self, directory: Path, files: Files, *words: str, **more: str) -> None:
        self.files = files
        words = ("--tls-cert", str(files.certificate), "--tls-key", str(files.key), *words)
        super().__init__(directory, 0, *words, trusted=files.authority.root, **more)
        self.health = f"https://{self.address}/healthz"

    def get_health(self) -> requests.Response:
        return requests.get(self.health, timeout=PATIENCE_S, verify=str(self.files.authority.root))

    def open_socket(self, token: str) -> Socket:
        context = ssl.create_default_context(cafile=str(self.files.authority.root))
        url = f"wss://{self.address}/ws/patient-journey/"
        return Socket(WholeClient(url, headers={"Authorization": f"Bearer {token}"}, ssl_context=context))

    def shown_serial(self) -> str:
        """The number of the certificate that a new connection gets."""
        context = ssl.create_default_context(cafile=str(self.files.authority.root))
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            return str(connection.getpeercert()["serialNumber"])  # type: ignore[index]


@pytest.fixture
def centre(tmp_path: Path, files: Files) -> Iterator[Https]:
    running = Https(tmp_path, files)
    yield running
    running.process.kill()
    running.process.communicate()


def run_in_vain(directory: Path, *words: str) -> str:
    """Runs a centre that is to refuse. Returns the one line that says why."""
    command = [*COMMAND, "run", "--create", "--database", f"sqlite:///{directory}/centre.db", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr.strip().splitlines()[-1]


def test_a_centre_with_a_certificate_serves_https_and_tells_browsers_to_stay_with_it(centre: Https):
    answer = centre.get_health()
    assert answer.json() == {"status": "ok"}
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert json.loads(centre.command("check", "--json"))["certificate"]["fault"] == ""
    assert centre.stop() == (0, "")


def test_a_socket_over_tls_carries_messages_of_any_size_both_ways(centre: Https):
    token = centre.demo_token()
    watching = centre.open_socket(token)
    assert watching.next()["type"] == "initial_state"
    for number in range(50):
        watching.send({"command": "nonsense", "padding": "x" * (number * 300)})
        assert watching.next()["type"] == "error"
    act = requests.post(
        f"https://{centre.address}/api/v1/patient-journey/perform-action/",
        headers={"Authorization": f"Bearer {token}"},
        json={"action_type": "scan_nfc", "action_id": "0190a0a0-0000-7000-8000-000000000001"},
        timeout=PATIENCE_S,
        verify=str(centre.files.authority.root),
    )
    assert act.ok, act.text
    assert watching.next()["type"] == "state_update"
    assert centre.stop() == (0, "")
    assert watching.closed() == 1001


def test_a_renewed_certificate_is_shown_to_new_connections_while_old_ones_go_on(centre: Https):
    before = centre.shown_serial()
    watching = centre.open_socket(centre.demo_token())
    watching.next()
    centre.files.put(centre.files.authority.server("localhost", "127.0.0.1", days=29))
    assert centre.shown_serial() != before
    watching.send({"command": "nonsense"})
    assert watching.next()["type"] == "error"
    assert centre.get_health().json() == {"status": "ok"}
    code, said = centre.stop()
    assert code == 0
    assert said.count("a new certificate is in use") == 1


def test_a_broken_renewal_keeps_the_old_certificate_and_is_told_by_health_and_check(centre: Https):
    before = centre.shown_serial()
    centre.files.write("half a file")
    assert centre.shown_serial() == before
    answer = centre.get_health()
    assert (answer.status_code, answer.json()["status"]) == (200, "certificate")
    assert "no certificate in PEM" in centre.command("check", code=1)
    code, said = centre.stop()
    assert (code, said.count("the certificate before stays in use")) == (0, 1)


def test_a_certificate_that_ends_within_two_weeks_is_told_by_log_health_and_check(tmp_path: Path, files: Files):
    files.put(files.authority.server("localhost", "127.0.0.1", days=13))
    centre = Https(tmp_path, files)
    assert centre.get_health().json()["status"] == "certificate"
    assert "renew it" in centre.command("check", code=1)
    code, said = centre.stop()
    assert (code, said.count("ends in 12 days: renew it")) == (0, 1)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x3f\xff\x01"], ids=["nothing", "half a handshake"])
def test_a_full_house_of_handshakes_gives_up_one_for_a_client_with_fewer(files: Files, sent: bytes):
    certificate = ServedCertificate(files.certificate, files.key)
    gateway = GatewayInThread([WorkerInThread(_answer)], Shares(connections=4), certificate=certificate)
    try:
        with ExitStack() as stack:
            for _ in range(4):
                silent = stack.enter_context(
                    socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_S, ("127.0.0.7", 0))
                )
                silent.sendall(sent)
            answer = requests.get(
                f"https://localhost:{gateway.port}/", timeout=PATIENCE_S, verify=str(files.authority.root)
            )
            assert answer.status_code == 200
    finally:
        gateway.close()


def test_an_old_client_is_refused(files: Files):
    certificate = ServedCertificate(files.certificate, files.key)
    gateway = GatewayInThread([WorkerInThread(_answer)], certificate=certificate)
    try:
        for newest, is_served in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
            context = ssl.create_default_context(cafile=str(files.authority.root))
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else this client itself would offer nothing
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as plain:
                try:
                    context.wrap_socket(plain, server_hostname="localhost").close()
                    served = True
                except ssl.SSLError:
                    served = False
            assert served is is_served
    finally:
        gateway.close()


def _answer(_: dict[str, object], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [])
    return [b"well"]


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x3f\xff\x01"], ids=["nothing", "half a handshake"])
def test_clients_that_never_shake_hands_keep_nobody_waiting(centre: Https, sent: bytes):
    with ExitStack() as stack:
        for _ in range(SILENT):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", centre.port), timeout=PATIENCE_S))
            silent.sendall(sent)
        answers: list[bool] = []
        asking = [threading.Thread(target=lambda: answers.append(centre.get_health().ok)) for _ in range(8)]
        for each in asking:
            each.start()
        for each in asking:
            each.join(PATIENCE_S)
        assert answers == [True] * 8
        # They are given up, and not one line is written about it.
        assert silent.recv(1) == b""
    assert centre.stop() == (0, "")


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


def test_a_handshake_byte_by_byte_gets_no_longer_than_any_other(tmp_path: Path, files: Files):
    url = f"sqlite:///{tmp_path}/centre.db"
    SqliteStore(url).close()
    command = [sys.executable, "-c", IMPATIENT, url, str(files.certificate), str(files.key)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=0.02) as connection:
            connection.sendall(b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb")
            ended = False
            while not ended:  # the time limit of the test ends a centre that waits for the last byte
                try:
                    connection.sendall(b"\x03")
                    ended = connection.recv(1) == b""
                except TimeoutError:
                    pass
                except OSError:
                    ended = True
        process.terminate()
        assert process.communicate()[1] == ""


def test_plain_http_at_the_port_is_told_to_use_https(centre: Https):
    answer = requests.get(f"http://{centre.address}/healthz", timeout=PATIENCE_S)
    assert (answer.status_code, answer.text) == (400, "This port speaks https only.\n")
    assert "Strict-Transport-Security" not in answer.headers


def test_garbage_at_the_port_is_survived_in_silence(centre: Https):
    for garbage in (b"\x16\x03\x01\x02\x00\x01", b"\x15\x03\x01\x00\x02\x02\x28", b"A" * 70_000, b"\0", b""):
        with socket.create_connection(("127.0.0.1", centre.port), timeout=PATIENCE_S) as connection:
            connection.sendall(garbage)
            try:
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
            except OSError:  # it is gone already
                pass
    assert centre.get_health().ok
    assert centre.stop() == (0, "")


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_an_address_that_others_reach_needs_one_of_three_ways(tmp_path: Path, address: str):
    said = run_in_vain(tmp_path, "--listen", address)
    assert take_clean_stop(tmp_path / "centre.db")
    assert all(word in said for word in (address, "--tls-cert", "--trusted-proxy", "--public-url", "--insecure"))


@pytest.mark.parametrize(
    "words",
    [
        ("--trusted-proxy", "127.0.0.1"),
        ("--trusted-proxy", "", "--public-url", "https://checkin.example"),
    ],
)
def test_half_a_proxy_is_no_proxy(tmp_path: Path, words: tuple[str, ...]):
    assert "--insecure" in run_in_vain(tmp_path, "--listen", "0.0.0.0:0", *words)


def test_a_proxy_that_the_site_names_is_enough_and_no_other_machine_is_answered(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/centre.db"
    subprocess.run([*COMMAND, "demo-data", "--database", url], check=True, capture_output=True)
    site = [*COMMAND, "site", "--database", url, "--public-url", "https://checkin.example"]
    subprocess.run([*site, "--trusted-proxy", "192.0.2.1"], check=True, capture_output=True)
    centre = Process(tmp_path, 0, host="0.0.0.0")
    assert _code_of_other_machine(centre) == "https_only"
    # The settings of the start count, also for a worker that starts later.
    centre.command("site", "--trusted-proxy", "")
    os.kill(_worker_of(centre), signal.SIGKILL)
    while not requests.get(f"http://127.0.0.1:{centre.port}/healthz", timeout=PATIENCE_S).ok:
        pass
    assert _code_of_other_machine(centre) == "https_only"
    code, said = centre.stop()
    assert (code, "--insecure" in said) == (0, False)


def test_an_insecure_centre_says_so_at_each_start(tmp_path: Path):
    for _ in range(2):
        centre = Process(tmp_path, 0, "--insecure", host="0.0.0.0")
        assert _code_of_other_machine(centre) == ""
        code, said = centre.stop()
        assert (code, said.count("--insecure: tokens and patients' data cross the network in clear")) == (0, 1)


def test_loopback_needs_nothing_and_consent_to_nothing_is_not_logged(tmp_path: Path):
    assert Process(tmp_path, 0, "--insecure").stop() == (0, "")


def test_https_beyond_loopback_needs_no_consent(tmp_path: Path, files: Files):
    centre = Https(tmp_path, files, host="0.0.0.0")
    assert centre.get_health().ok
    assert centre.stop() == (0, "")


def test_files_that_cannot_be_used_end_the_start_in_one_line(tmp_path: Path, files: Files):
    other = files.authority.server("other").key
    for words, reason in (
        (("--tls-cert", str(tmp_path / "none.pem")), "none.pem: No such file"),
        (("--tls-cert", str(files.certificate)), "a certificate and its key in PEM are needed"),
        (("--tls-cert", str(files.certificate), "--tls-key", str(other)), "the key is not that of the certificate"),
        (("--tls-key", str(files.key)), "--tls-key needs --tls-cert"),
    ):
        assert reason in run_in_vain(tmp_path, "--listen", "127.0.0.1:0", *words)


def _code_of_other_machine(centre: Process) -> str:
    """The code of the refusal of a request from an address that is not loopback; empty where it is served.

    A machine without such an address cannot ask.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address besides loopback")
        own = probe.getsockname()[0]
    answer = requests.get(f"http://{own}:{centre.port}/healthz", timeout=PATIENCE_S)
    return "" if answer.ok else str(answer.json()["code"])


def _worker_of(centre: Process) -> int:
    children = Path(f"/proc/{centre.process.pid}/task/{centre.process.pid}/children").read_text().split()
    return int(children[0])
