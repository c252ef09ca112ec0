"""The real `kiosk-central run` on PostgreSQL, and the ways that lead to it."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import sleep
from typing import Any

import requests

from sync.central.gateway.routing import place_of as place_of_token
from sync.central.network.bearer import token_id_of
from sync.central.store.place import place_of
from sync.control import ask, socket_path
from tests.sync.central.databases import Database
from tests.sync.central.online import API, PATIENCE_S, Socket, WholeClient

COMMAND = [sys.executable, "-m", "sync.central"]


class Service:
    """A running centre on a database, and commands that reach it."""

    def __init__(self, database: Database, workers: int = 1, more: Sequence[str] = ()) -> None:
        assert database.state_dir is not None
        self.workers = workers
        self._state = place_of(database.url, database.state_dir).state
        self._named = ["--database", database.url, "--state-dir", str(database.state_dir)]
        words = ["run", "--create", *self._named, "--listen", "127.0.0.1:0", "--workers", str(workers), *more]
        self._process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        said = self._process.stdout.readline() if ready else ""
        assert "listens on http://" in said, self._process.communicate()
        self.url = "http://" + said.strip().rpartition("//")[2]

    def command(self, *words: str) -> str:
        done = subprocess.run([*COMMAND, *words, *self._named], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def ask(self, operation: str, **arguments: object) -> Any:
        """What a command asks of the service, over the control socket. Raises ControlError and NotRunning."""
        return ask(socket_path(self._state), operation, PATIENCE_S, **arguments)

    def token(self, place: int, **whose: object) -> str:
        """A token whose calls the worker of a place answers."""
        while True:
            made = str(self.ask("token", **whose)["token"])
            if place_of_token(token_id_of(made), self.workers) == place:
                return made

    def worker_pids(self) -> set[int]:
        """The processes of the workers that run at this moment."""
        gateway = self._process.pid
        lists = [path.read_text("ascii") for path in Path(f"/proc/{gateway}/task").glob("*/children")]
        return {int(pid) for found in lists for pid in found.split()}

    def call(self, method: str, path: str, token: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, f"{self.url}{API}{path}", headers=headers, timeout=PATIENCE_S, **more)

    def act(self, token: str, action_type: str, action_id: str, patient_id: str) -> requests.Response:
        body = {"action_type": action_type, "action_id": action_id, "payload": {"patient_id": patient_id}}
        return self.call("POST", "/patient-journey/perform-action/", token, json=body)

    def state(self, token: str, patient_id: str) -> str:
        answer = self.call("GET", "/patient-journey/current-state/", token, params={"patient_id": patient_id})
        return str(answer.json()["journey_state"])

    def open_socket(self, token: str | None, **headers: str) -> Socket:
        url = f"{self.url.replace('http:', 'ws:')}/ws/patient-journey/"
        bearer = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return Socket(WholeClient(url, headers=bearer | headers))

    def stop(self) -> tuple[int, str]:
        """Stops it in order. Returns its exit code and its standard error."""
        self.tell(signal.SIGTERM)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Waits until it has ended by itself. Returns its exit code and its standard error."""
        _, error = self._process.communicate()
        return self._process.returncode, _without_head(error)

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def wait(so: Callable[[], object]) -> None:
    """Waits until the condition holds. The test's own time limit ends it."""
    while not so():
        sleep(0.05)


def _without_head(error: str) -> str:
    """A standard error without the end of the access log's chain, which a service tells after a minute."""
    return "".join(line for line in error.splitlines(keepends=True) if ".log_sealing: " not in line)
