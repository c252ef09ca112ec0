"""A real pgbouncer in transaction mode before a private PostgreSQL."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from kiosk.demo.hospital import wait_for
from tests import components
from tests.postgres_user import as_user, own
from tests.sync.central.databases import Cluster

_CONFIGURATION = """[databases]
* = host={directory} user=postgres pool_size=2
[pgbouncer]
listen_port = 5432
unix_socket_dir = {place}
pool_mode = transaction
auth_type = any
"""


class Pooler:
    """The running program. It has two connections to the server for each database."""

    def __init__(self, cluster: Cluster) -> None:
        self._place = cluster.directory / "pool"
        self._probe = self.through(cluster.url("postgres"))
        self._place.mkdir()
        own(self._place)
        self._file = self._place / "pgbouncer.ini"
        self._file.write_text(_CONFIGURATION.format(directory=cluster.directory, place=self._place))
        self.start()

    def through(self, url: str) -> str:
        """The URL of a database of the cluster through the pooler."""
        return f"{url}/{self._place.name}"

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        program = components.debian_program("pgbouncer")
        # It ends with this process, also where that is killed.
        self._process = subprocess.Popen([*as_user("--pdeathsig", "INT"), program, "-q", str(self._file)])
        wait_for(self._answers, "pgbouncer does not answer", 60.0)

    def kill(self) -> None:
        """Ends it at once, with every connection."""
        self._process.kill()
        self._process.wait()
        for socket in self._place.glob(".s.*"):
            socket.unlink()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._probe).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running(cluster: Cluster) -> Iterator[Pooler]:
    """A pooler while the context is open."""
    made = Pooler(cluster)
    try:
        yield made
    finally:
        made.kill()
