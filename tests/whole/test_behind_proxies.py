"""Centre and kiosk through the proxies of hospitals: Debian's nginx and Caddy, and an outbound proxy with a login."""

from __future__ import annotations

import json
import shutil
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_websocket import ConnectionClosed
from simple_websocket import ConnectionError as NoHandshake

from kiosk.demo import hospital
from kiosk.demo.hospital import DemoError, Person, Places, wait_for
from sync.agent.client import CentralClient, NoAnswer
from sync.agent.route import Route
from sync.control import ask, socket_path
from sync.ids import new_id
from sync.protocol import EnrolRequest
from tests.authority import Authority
from tests.commands import central_command, enrol
from tests.connect_proxy import ConnectProxy
from tests.sync.central.online import WholeClient
from tests.whole.proxies import PROXIES, Front, in_front

pytestmark = pytest.mark.proxies

WAIT_S = 60.0
API = "/api/v1"
APP = "https://app.example"
FORGED = "203.0.113.9"
CLIENT, OTHER = "127.0.0.2", "127.0.0.3"


class _From(HTTPAdapter):
    """Connects from one of the many addresses of loopback."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **kwargs)


@dataclass(frozen=True)
class Hospital:
    """A centre behind a proxy, with its demo patients."""

    places: Places
    front: Front
    authority: Authority
    people: list[Person]
    staff: str

    def call(
        self, method: str, path: str, token: str | None = None, source: str = "127.0.0.1", **more: object
    ) -> requests.Response:
        """A request through the proxy, from an address of this machine."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})  # type: ignore[arg-type]
        url, trusted = self.front.url + path, str(self.authority.root)
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", _From(source))
            return session.request(method, url, headers=headers, verify=trusted, timeout=WAIT_S, **more)  # type: ignore[arg-type]

    def rows(self, query: str) -> list[str]:
        """The first column of rows of the centre's database."""
        with closing(sqlite3.connect(self.places.directory / "central.db")) as db:
            return [str(row[0]) for row in db.execute(query)]

    def configure(self, **central: str) -> None:
        """Writes the kiosk's configuration, with these keys in [central]."""
        hospital.write_config(self.places, self.front.url, ["simulated"])
        keys = {"ca_file": str(self.authority.root)} | central
        given = "".join(f"\n{key} = {json.dumps(value)}" for key, value in keys.items())
        text = self.places.config.read_text("utf-8")
        self.places.config.write_text(text.replace(f'"{self.front.url}"', f'"{self.front.url}"{given}'), "utf-8")


def standing(name: str, place: Path, stack: ExitStack, *, with_clients: bool = False) -> Hospital:
    """A centre behind the proxy of that name."""
    places = Places(place, hospital.free_port(), hospital.free_port())
    place.mkdir(parents=True, exist_ok=True)
    authority = Authority(place / "ca")
    trusted = authority.root if with_clients else None
    front = stack.enter_context(in_front(name, place / "proxy", authority, places.central_port, trusted))
    words = ("--trusted-proxy", "127.0.0.1", "--public-url", front.url, "--allow-origin", APP)
    central = hospital.start_central(places, *words)
    stack.callback(central.stop)
    central.await_health()
    people = hospital.fill(places)
    staff = central_command(places, "token", "--role", "staff", "--name", "tests").strip()
    return Hospital(places, front, authority, [person for person in people if person.booked], staff)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in PROXIES])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with ExitStack() as stack:
        yield standing(request.param, tmp_path_factory.mktemp(request.param) / "house", stack)


def synced(house: Hospital, stack: ExitStack) -> Person:
    """Starts the kiosk, checks a person in, and waits until the centre has judged it."""
    kiosk = hospital.start_kiosk(house.places)
    stack.callback(kiosk.stop)
    kiosk.await_health()
    control = socket_path(house.places.directory / "kiosk.db")
    wait_for(lambda: ask(control, "status")["roster"]["patients"], "the roster never came", WAIT_S)
    hospital.hold_card(house.places, house.people[0].uid)
    settled = lambda: not ask(control, "status")["outbox"]["pending"]  # noqa: E731
    wait_for(settled, "the outbox never emptied", WAIT_S)
    assert ask(control, "status")["online"]
    return house.people[0]


def state_at_centre(house: Hospital, person: Person) -> str:
    answer = house.call(
        "GET", f"{API}/patient-journey/current-state/", house.staff, params={"patient_id": person.patient_id}
    )
    assert answer.ok, answer.text
    return str(answer.json()["journey_state"])


def state_at_kiosk(house: Hospital, person: Person) -> str:
    with closing(sqlite3.connect(house.places.directory / "kiosk.db")) as db:
        query = "select view ->> '$.state' from patients where patient_id = ?"
        return str(db.execute(query, (person.patient_id,)).fetchone()[0])


@pytest.mark.parametrize("path", ["/metrics", "/healthz?full"])
def test_no_proxy_passes_on_what_programs_that_watch_may_read(house: Hospital, path: str):
    token = central_command(house.places, "token", "--role", "metrics", "--name", "prometheus").strip()
    for each in (None, token):
        refused = house.call("GET", path, each)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert requests.get(house.places.central_url + path, timeout=WAIT_S).ok, "on its own machine it is there"
    assert house.call("GET", "/healthz").json() == {"status": "ok"}


def test_a_kiosk_enrols_pulls_and_pushes_through_the_proxy(house: Hospital):
    with ExitStack() as stack:
        house.configure()
        enrol(house.places, house.front.url)
        person = synced(house, stack)
        assert state_at_centre(house, person) == "ARRIVED"
        # A pull waits at the centre now, and news of another client end it.
        other = house.people[1]
        body = {"action_type": "scan_nfc", "action_id": new_id(), "payload": {"patient_id": other.patient_id}}
        assert house.call("POST", f"{API}/patient-journey/perform-action/", house.staff, json=body).ok
        wait_for(lambda: state_at_kiosk(house, other) == "ARRIVED", "the news never came", WAIT_S)


def test_the_audit_and_the_lock_out_have_the_clients_address_whatever_the_client_writes(house: Hospital):
    forged = {"X-Forwarded-For": FORGED, "Forwarded": f"for={FORGED}", "X-Real-IP": FORGED, "X_Forwarded_For": FORGED}
    person = house.people[2]
    query = {"patient_id": person.patient_id}
    path = f"{API}/patient-journey/current-state/"
    assert house.call("GET", path, house.staff, CLIENT, params=query, headers=forged).ok
    [look] = house.rows(f"select detail from audit where kind like 'look:%' and patient_id = '{person.patient_id}'")
    assert json.loads(look) == {"channel": "rest", "from": CLIENT}
    wrong = {"code": "AAAAA-AAAAA", "site_id": "", "kept": 0}
    tried = [house.call("POST", f"{API}/kiosks/enroll", None, CLIENT, json=wrong, headers=forged) for _ in range(6)]
    assert [answer.status_code for answer in tried] == [401] * 5 + [503]
    assert house.call("POST", f"{API}/kiosks/enroll", None, OTHER, json=wrong, headers=forged).status_code == 401
    right = wrong | {"code": central_command(house.places, "enroll-code").strip()}
    assert house.call("POST", f"{API}/kiosks/enroll", None, CLIENT, json=right, headers=forged).status_code == 200
    assert set(house.rows("select origin from enrol_failures")) == {CLIENT, OTHER}


@pytest.mark.parametrize("origin", [None, "own", APP])
def test_the_patients_socket_opens_through_the_proxy(house: Hospital, origin: str | None):
    person = house.people[3]
    token = central_command(house.places, "token", "--role", "patient", "--patient", person.patient_id).strip()
    headers = {"Authorization": f"Bearer {token}"}
    if origin:
        headers["Origin"] = house.front.url if origin == "own" else origin
    socket = opened(house, headers)
    try:
        assert json.loads(socket.receive(timeout=WAIT_S))["type"] == "initial_state"
        socket.send(json.dumps({"command": "ping"}))
        assert json.loads(socket.receive(timeout=WAIT_S)) == {"type": "pong"}
    finally:
        with suppress(ConnectionClosed, OSError):
            socket.close()
        # A thread that still reads would take the file descriptor of the next socket.
        socket.thread.join(WAIT_S)


def test_a_foreign_page_gets_no_socket_and_no_answer_through_the_proxy(house: Hospital):
    with pytest.raises(NoHandshake) as refused:
        opened(house, {"Authorization": f"Bearer {house.staff}", "Origin": "https://evil.example"})
    assert refused.value.status_code == 403
    for origin, granted in ((APP, APP), ("https://evil.example", None)):
        answer = house.call("GET", f"{API}/state-definitions/", headers={"Origin": origin})
        assert answer.headers.get("Access-Control-Allow-Origin") == granted


def test_the_largest_push_reaches_the_centre_and_a_larger_one_is_refused_by_it(house: Hospital):
    for size, status, words in ((320_000, 401, ""), (900_000, 413, "malformed")):
        answer = house.call("POST", f"{API}/sync/push", "nobodys", data=b"x" * size)
        assert answer.status_code == status, answer.text
        assert words in answer.json()["code"]


def opened(house: Hospital, headers: dict[str, str]) -> WholeClient:
    """A socket through the proxy."""
    context = ssl.create_default_context(cafile=str(house.authority.root))
    url = f"wss://{house.front.host}/ws/patient-journey/"
    return WholeClient(url, headers=headers, ssl_context=context)


def test_a_client_that_goes_past_the_proxy_is_not_believed(house: Hospital):
    """The centre's own server believes no header either, in whatever spelling."""
    person = house.people[4]
    headers = {
        "Authorization": f"Bearer {house.staff}",
        "X-Forwarded-For": FORGED,
        "X_Forwarded_For": FORGED,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Ssl": "off",
        "Script-Name": "/api",
    }
    with requests.Session() as session:
        session.mount("http://", _From(CLIENT))
        url = f"{house.places.central_url}{API}/patient-journey/current-state/"
        answer = session.get(url, params={"patient_id": person.patient_id}, headers=headers, timeout=WAIT_S)
    assert answer.ok, answer.text
    [look] = house.rows(f"select detail from audit where kind like 'look:%' and patient_id = '{person.patient_id}'")
    assert json.loads(look) == {"channel": "rest", "from": CLIENT}


def test_a_running_kiosk_names_what_is_wrong_with_the_certificate_and_goes_on_when_the_file_is_right(tmp_path: Path):
    with ExitStack() as stack:
        house = standing("nginx", tmp_path / "house", stack)
        trusted = tmp_path / "ca.pem"
        shutil.copy(house.authority.root, trusted)
        house.configure(ca_file=str(trusted))
        enrol(house.places, house.front.url)
        trusted.unlink()
        kiosk = hospital.start_kiosk(house.places)
        stack.callback(kiosk.stop)
        kiosk.await_health()
        control = socket_path(house.places.directory / "kiosk.db")

        def said(words: str) -> None:
            wait_for(lambda: words in ask(control, "status")["sync_error"], f"no word of {words}", 2 * WAIT_S)

        said(f"unusable_file: [central] ca_file: {trusted}: No such file")
        shutil.copy(Authority(tmp_path / "other", "Other CA").root, trusted)
        said("untrusted: the centre's certificate is not trusted: its issuer is not in")
        shutil.copy(house.authority.root, trusted)
        wait_for(lambda: ask(control, "status")["online"], "the kiosk never came online", 2 * WAIT_S)


@pytest.mark.parametrize("name", sorted(PROXIES))
def test_a_proxy_that_wants_client_certificates_lets_this_kiosk_alone_in_through_an_outbound_proxy(
    name: str, tmp_path: Path
):
    with ExitStack() as stack:
        outbound = stack.enter_context(ConnectProxy(login="kiosk:s3cret"))
        house = standing(name, tmp_path / "house", stack, with_clients=True)
        mine = house.authority.client("entrance-1")
        login = tmp_path / "login"
        login.write_text("kiosk:s3cret\n")
        without = {"proxy": outbound.url, "proxy_login_file": str(login)}
        house.configure(**without)
        # nginx ends the handshake well and answers with a page, Caddy refuses the handshake.
        with pytest.raises(DemoError, match=r"HTTP 400|client_certificate: the centre wants a client certificate"):
            enrol(house.places, house.front.url)
        house.configure(client_cert=str(mine.chain), client_key=str(mine.key), **without)
        enrol(house.places, house.front.url)
        synced(house, stack)
        assert all(line.startswith(b"CONNECT ") for line in outbound.asked)
        log = (house.places.directory / "kiosk.log").read_text("utf-8")
        assert "s3cret" not in log


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in PROXIES])
def test_a_centre_that_is_away_behind_its_proxy_is_named_as_such(name: str, tmp_path: Path):
    authority = Authority(tmp_path / "ca")
    with in_front(name, tmp_path / "proxy", authority, hospital.free_port()) as front:
        client = CentralClient(front.url, route=Route(ca_file=str(authority.root)))
        outcome = client.enrol(EnrolRequest(code="x"))
        client.close()
    assert isinstance(outcome, NoAnswer)
    assert outcome.reason.startswith("gateway: HTTP 502: ")
