"""What a server of PostgreSQL can do to a centre: each action is refused in words, and counts once afterwards."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import psycopg
import pytest

from sync.central.kiosks.enrolment import new_code
from sync.central.store.errors import IN_WORDS, Trouble
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.ids import new_id
from tests import components
from tests.postgres_user import own
from tests.protocol.second_client import SecondClient
from tests.sync.central.centre import DAY, Centre, patient
from tests.sync.central.databases import Cluster, Database
from tests.sync.central.online import Online

pytestmark = pytest.mark.one_database
ROLE = "hospital"


@dataclass(frozen=True, slots=True)
class Server:
    """The server as its administrator sees it, and the name of the centre's database."""

    cluster: Cluster
    name: str

    def connect(self, name: str = "") -> psycopg.Connection:
        """A connection of the administrator, to the centre's database if no other is named."""
        return psycopg.connect(self.cluster.url(name or self.name), autocommit=True)

    def do(self, statement: str) -> None:
        """Runs a statement beside the centre's database."""
        with self.connect("postgres") as connection:
            connection.execute(statement.encode())

    def end_sessions(self) -> None:
        """Ends the centre's connections, as a restart does."""
        with self.connect("postgres") as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = %s", (self.name,)
            )


@pytest.fixture
def server(cluster: Cluster) -> Iterator[Server]:
    with made_server(cluster) as made:
        yield made


@pytest.fixture
def centre(server: Server, tmp_path: Path) -> Iterator[Centre]:
    made = centre_of(server, tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def online(centre: Centre, tmp_path: Path) -> Iterator[Online]:
    made = Online(tmp_path, centre=centre)
    yield made
    made.close()


@contextmanager
def away(server: Server) -> Iterator[None]:
    """The server is stopped."""
    server.cluster.stop()
    try:
        yield
    finally:
        server.cluster.start()


@contextmanager
def no_connection_left(server: Server) -> Iterator[None]:
    """Others have all connections of `max_connections`."""
    with ExitStack() as others, server.connect() as admin:
        sessions = "select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename = %s"
        taken: list[psycopg.Connection] = []
        while _take(taken, server):
            others.enter_context(taken[-1])
        admin.execute(sessions, (ROLE,))
        while _take(taken, server):
            others.enter_context(taken[-1])
        yield


def _take(taken: list[psycopg.Connection], server: Server) -> bool:
    try:
        taken.append(server.connect())
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def no_connection_for_the_role(server: Server) -> Iterator[None]:
    """The role may not connect any more."""
    with _setting(server, f"alter role {ROLE} connection limit 0", f"alter role {ROLE} connection limit -1"):
        yield


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    """New sessions only read, as those of a standby."""
    setting = "default_transaction_read_only"
    with _setting(server, f"alter role {ROLE} set {setting} = on", f"alter role {ROLE} reset {setting}"):
        yield


@contextmanager
def _setting(server: Server, begin: str, end: str) -> Iterator[None]:
    server.do(begin)
    server.end_sessions()
    try:
        yield
    finally:
        server.do(end)


@contextmanager
def without_a_right(server: Server) -> Iterator[None]:
    """The role may not write the history any more."""
    with server.connect() as admin:
        admin.execute(f"revoke insert, update on all tables in schema public from {ROLE}".encode())
        try:
            yield
        finally:
            admin.execute(f"grant insert, update on all tables in schema public to {ROLE}".encode())


@contextmanager
def locked(server: Server) -> Iterator[None]:
    """An administrator has locked the tables, and statements end soon."""
    soon = f"alter role {ROLE} set statement_timeout = '50ms'"
    with _setting(server, soon, f"alter role {ROLE} reset statement_timeout"), server.connect() as admin:
        admin.execute("begin")
        admin.execute("lock table journeys, counters, patients, tokens in access exclusive mode")
        yield
    server.end_sessions()  # a session keeps the setting with which it began


@contextmanager
def no_lock_left(server: Server) -> Iterator[None]:
    """Others have all locks of `max_locks_per_transaction`."""
    with server.connect() as admin:
        # One by one at the end: a statement that fails gives back the locks of its own transaction.
        for step in (10_000, 1):
            with suppress(psycopg.errors.OutOfMemory):
                for first in itertools.count(step * 1_000_000, step):
                    admin.execute(
                        "select pg_advisory_lock(n) from generate_series(%s::bigint, %s) as n",
                        (first, first + step - 1),
                    )
        yield


@contextmanager
def gone(server: Server) -> Iterator[None]:
    """The database has another name."""
    server.do(f"alter database {server.name} allow_connections false")
    server.end_sessions()
    with _setting(
        server,
        f"alter database {server.name} rename to elsewhere",
        f"alter database elsewhere rename to {server.name}",
    ):
        yield
    server.do(f"alter database {server.name} allow_connections true")


@contextmanager
def shutting_down(server: Server) -> Iterator[None]:
    """The server waits for the end of its sessions, and takes no new one."""
    with server.connect() as last:
        server.cluster.signal(signal.SIGTERM)
        last.execute("select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename = %s", (ROLE,))
        try:
            yield
        finally:
            server.cluster.stop()
            server.cluster.start()


TROUBLES: dict[Callable[[Server], AbstractContextManager[None]], Trouble] = {
    away: Trouble.CANNOT_OPEN,
    no_connection_left: Trouble.CANNOT_OPEN,
    no_connection_for_the_role: Trouble.CANNOT_OPEN,
    gone: Trouble.CANNOT_OPEN,
    shutting_down: Trouble.CANNOT_OPEN,
    read_only: Trouble.READ_ONLY,
    without_a_right: Trouble.READ_ONLY,
    locked: Trouble.BUSY,
    no_lock_left: Trouble.BUSY,
}


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_in_each_trouble_an_action_is_refused_in_words_and_counts_once_afterwards(
    server: Server,
    online: Online,
    caplog: pytest.LogCaptureFixture,
    trouble: Callable[[Server], AbstractContextManager[None]],
):
    meet(online, trouble(server), TROUBLES[trouble])
    assert traces(caplog) == []


def test_a_full_disk_of_the_server_is_told_as_that_and_the_centre_goes_on_when_there_is_room(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with on_small_disk(cluster) as server:
        online = Online(tmp_path, centre=centre_of(server, tmp_path))
        meet(online, full(server), Trouble.DISK_FULL)
        online.close()
    assert traces(caplog) == []


def meet(online: Online, trouble: AbstractContextManager[None], word: Trouble) -> None:
    """Has a desk and a kiosk act amid trouble, and again afterwards."""
    desk, action_id = online.staff, new_id()
    kiosk = SecondClient(f"http://{online.host}")
    kiosk.enrol(code_of(online.centre))
    kiosk.act("scan_nfc", patient(2), site_day=DAY)
    with trouble:
        refused = online.act(desk, "scan_nfc", action_id, patient_id=patient(1))
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert refused.json()["error"] == f"{IN_WORDS[word]}."
        assert refused.headers["Retry-After"]
        assert kiosk.push()
        assert kiosk.pending()
        assert health(online.centre) == (503, word)
    # The server may still be ending the sessions of the others.
    wait(lambda: online.act(desk, "scan_nfc", action_id, patient_id=patient(1)).ok)
    assert online.act(desk, "scan_nfc", action_id, patient_id=patient(1)).status_code == 200
    wait(lambda: kiosk.push() is None)
    wait(lambda: health(online.centre) == (200, "ok"))
    done = online.centre.rows("select patient_id, action from transitions order by patient_id")
    assert [tuple(row.values()) for row in done] == [(patient(1), "scan_nfc"), (patient(2), "scan_nfc")]


def wait(so: Callable[[], object]) -> None:
    """Waits until the condition holds. The test's own time limit ends it."""
    while not so():
        sleep(0.01)


def traces(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The records of the log that show a traceback."""
    return [record.getMessage() for record in caplog.records if record.exc_info]


@contextmanager
def made_server(cluster: Cluster, options: str = "") -> Iterator[Server]:
    """A server with a database for a role that is no administrator."""
    admin = Server(cluster, "postgres")
    admin.do(f"create role {ROLE} login")
    try:
        with cluster.bare(f"owner {ROLE} {options}") as url:
            yield Server(cluster, str(psycopg.conninfo.conninfo_to_dict(url)["dbname"]))
    finally:
        admin.do(f"drop role {ROLE}")


@contextmanager
def on_small_disk(cluster: Cluster) -> Iterator[Server]:
    """A server whose database has its files on a small disk of their own."""
    place = cluster.directory / "small"
    admin = Server(cluster, "postgres")
    with components.small_disk(place, "40m"):
        own(place)
        admin.do(f"create tablespace small location '{place}'")
        try:
            with made_server(cluster, "tablespace small") as server:
                yield server
        finally:
            admin.do("drop tablespace small")


@contextmanager
def full(server: Server) -> Iterator[None]:
    """The small disk has no room."""
    ballast = server.cluster.directory / "small" / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    ballast.unlink()


def centre_of(server: Server, directory: Path) -> Centre:
    """A centre on that server's database."""
    url = server.cluster.url(server.name).replace("postgres@", f"{ROLE}@")
    return Centre(directory, patients=4, database=Database(url, directory / "state"))


def code_of(centre: Centre) -> str:
    with centre.store.write() as db:
        return new_code(db, centre.clock())


def health(centre: Centre) -> tuple[int, str]:
    """The answer of a health check that has no earlier one."""
    answer = create_app(centre.parts, SocketPlaces(1), 1).test_client().get("/healthz")
    return answer.status_code, answer.json["status"]
