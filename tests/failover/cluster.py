"""Three hosts with etcd, Patroni and PostgreSQL, and HAProxy before them, by the configuration of docs/failover.

Each host is an address of this machine's loopback network, so the ports are those of the configuration.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from tests import components
from tests.postgres_user import as_user, own

CONFIGURATION = Path(__file__).parents[2] / "docs" / "failover"
NAMES = ("db1", "db2", "db3")
STEP_S = 0.1
_OF_ALL = ("initial-cluster:", "hosts:", "server db")  # lines that name every host


@dataclass(frozen=True, slots=True)
class Host:
    """One of the three machines: its name, its address, and the directory that stands for its disk."""

    name: str
    address: str
    home: Path

    def members(self) -> list[dict[str, Any]]:
        """The cluster as this host's Patroni sees it. Empty where it does not answer."""
        with contextlib.suppress(requests.RequestException):
            answer = requests.get(f"http://{self.address}:8008/cluster", timeout=3)
            return list(answer.json()["members"])
        return []


@dataclass(slots=True)
class Cluster:
    """The processes. `passwords` are those of the configuration's users."""

    directory: Path
    network: str = field(default_factory=lambda: f"127.{secrets.randbelow(250) + 2}.{secrets.randbelow(250) + 2}")
    passwords: dict[str, str] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The three machines."""
        return tuple(
            Host(name, f"{self.network}.{10 + number}", self.directory / name) for number, name in enumerate(NAMES, 1)
        )

    @property
    def address(self) -> str:
        """Where HAProxy takes connections to the primary."""
        return f"{self.network}.10"

    def start(self) -> None:
        """Starts everything, and waits until a primary with a synchronous standby serves."""
        own(self.directory)
        for host in self.hosts:
            host.home.mkdir()
            own(host.home)
            self._start(host, "etcd", "etcd", "--config-file", self._written(host, "etcd.yml"))
        for host in self.hosts:
            self.start_database(host)
        front = self._written(self.hosts[0], "haproxy.cfg")
        self._start(self.hosts[0], "haproxy", "/usr/sbin/haproxy", "-db", "-f", front)
        self.await_whole()

    def start_database(self, host: Host) -> None:
        """Starts Patroni on a host, which starts PostgreSQL."""
        self._start(host, "patroni", "/usr/bin/patroni", self._written(host, "patroni.yml"))

    def await_whole(self) -> None:
        """Waits until there are a primary, a synchronous standby and one standby more."""
        until(lambda: sorted(self.roles().values()) == ["leader", "replica", "sync_standby"])

    def roles(self) -> dict[str, str]:
        """The role of each host whose database runs, as a host that answers sees them."""
        for host in self.hosts:
            members = host.members()
            if any(each["role"] == "leader" for each in members):
                return {each["name"]: each["role"] for each in members if each.get("state") in ("running", "streaming")}
        return {}

    def primary(self) -> Host:
        """The host of the present primary. One must be there."""
        (name,) = (name for name, role in self.roles().items() if role == "leader")
        return next(host for host in self.hosts if host.name == name)

    def kill_database(self, host: Host) -> None:
        """Kills PostgreSQL on a host, as a crash does."""
        os.kill(int((host.home / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def kill_host(self, host: Host) -> None:
        """Kills PostgreSQL and Patroni on a host, as a power cut does. Its etcd goes on, as if on a host of its own."""
        patroni = self._running.pop(f"{host.name} patroni")
        patroni.kill()
        patroni.wait()
        self.kill_database(host)

    def stop(self) -> None:
        """Ends everything."""
        order = sorted(self._running, key=lambda name: ("etcd" in name, name))
        for name in order:
            process = self._running.pop(name)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()

    def _start(self, host: Host, what: str, program: str, *words: str) -> None:
        components.demand(shutil.which(program) is not None, f"Debian's package for {what}")
        with (host.home / f"{what}.log").open("ab") as output:
            self._running[f"{host.name} {what}"] = subprocess.Popen(
                [*as_user("--pdeathsig", "TERM"), program, *words], stdout=output, stderr=output, cwd=host.home
            )

    def _written(self, host: Host, name: str) -> str:
        """Writes a file of the configuration for a host. Returns its path."""
        path = host.home / name
        path.write_text("".join(self._line(host, line) for line in _lines(name)))
        path.chmod(0o600)
        own(path)
        return str(path)

    def _line(self, host: Host, line: str) -> str:
        if not any(mark in line for mark in _OF_ALL):
            line = re.sub(r"\bdb1\b", host.name, line).replace("192.0.2.11", host.address)
        for there, here in (
            ("192.0.2.0/24", "127.0.0.0/8"),  # whence local connections come
            ("192.0.2.", f"{self.network}."),
            ("/var/lib/etcd/nfc-kiosk", f"{host.home}/etcd"),
            ("/var/lib/postgresql/15/nfc-kiosk", f"{host.home}/data"),
            ("/var/lib/postgresql/nfc-kiosk.pgpass", f"{host.home}/pgpass"),
            ("/var/run/postgresql", str(host.home)),
        ):
            line = line.replace(there, here)
        return re.sub(r"\w+-PASSWORD", lambda found: self._password(found[0]), line)

    def _password(self, name: str) -> str:
        return self.passwords.setdefault(name, secrets.token_hex(8))


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster that serves while the context is open."""
    with TemporaryDirectory(prefix="nfc-kiosk-failover-") as directory:
        made = Cluster(Path(directory))
        try:
            made.start()
            yield made
        finally:
            made.stop()


def until(true: Any) -> None:
    """Waits until it is true. The test's time limit ends a wait in vain."""
    while not true():
        time.sleep(STEP_S)


def _lines(name: str) -> list[str]:
    return (CONFIGURATION / name).read_text().splitlines(keepends=True)
