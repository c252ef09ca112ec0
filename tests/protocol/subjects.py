"""The subjects of the conformance suite: a centre on a real port, and both clients with the same interface."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from kiosk.store import outbox, patients
from kiosk.store.sqlite import Store as KioskStore
from sync.agent.client import Accepted, CentralClient
from sync.agent.lookup import Lookups
from sync.agent.steps import Puller, Pusher
from sync.agent.versions import Negotiation
from sync.cards import canonical_card
from sync.central.kiosks.enrolment import new_code
from sync.central.maintenance.incarnation import open_incarnation
from sync.central.web.app import create_app
from sync.central.web.kiosk_api import add_kiosk_api
from sync.central.web.socket_places import SocketPlaces
from sync.clock import ClockReading
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import SUPPORTED_VERSIONS, EnrolRequest
from tests.kiosk.parts import KioskParts
from tests.protocol.second_client import Refused, SecondClient, uuid7
from tests.sync.central.databases import Database
from tests.sync.central.wire import DAY, EVERYTHING, KEYS, Centre, Time


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Logs nothing: a fault shows in the test."""


Json = dict[str, Any]


class Between:
    """A proxy before the centre. It keeps all requests, and can answer in the centre's place or change an answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Json]] = []
        self.largest = 0  # of the requests, in bytes
        self.instead: Callable[[str, Json], Response | None] = lambda call, message: None
        self.change: Callable[[str, Json], Json] = lambda call, answer: answer
        self.centre: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        data = request.get_data()
        call, message = request.path.rpartition("/")[2], json.loads(data)
        self.asked.append((call, message))
        self.largest = max(self.largest, len(data))
        response = self.instead(call, message)
        if response is None:
            response = Response.from_app(self.centre, environ | {"wsgi.input": io.BytesIO(data)}, buffered=True)
            if response.status_code == 200:
                answer = _opened(json.loads(response.get_data()))
                changed = self.change(call, answer)
                if changed != answer:
                    response.set_data(json.dumps(changed))
        return response(environ, start_response)

    def pushed(self, member: str = "actions") -> list[Any]:
        """One member of each push."""
        return [message[member] for call, message in self.asked if call == "push"]

    def seqs(self) -> list[list[int]]:
        """The seqs of the actions of each push. A push without actions asks whether the network passes anything."""
        return [[action["body"]["seq"] for action in actions] for actions in self.pushed() if actions]


def _opened(answer: Json) -> Json:
    """An answer that may be sealed."""
    return json.loads(base64.b64decode(answer["sealed"])) if "sealed" in answer else answer


def refusal(status: int, retry_after_s: int | None = None, **body: Any) -> Response:
    """An answer in the centre's place."""
    response = Response(json.dumps(body), status, mimetype="application/json")
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


class Site:
    """The centre on a real database, on a port that stays the same through a restore."""

    def __init__(self, path: Path, database: Database | None = None) -> None:
        """The database is the file at the path, or another one that is named."""
        self.centre = Centre(path, Time(), database=database)
        self.between = Between()
        open_incarnation(self.centre.store)
        self._port = 0
        self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def code(self) -> str:
        with self.centre.store.write() as db:
            return new_code(db, self.centre.time(), EVERYTHING)

    def restore(self, backup: Path) -> None:
        self._stop()
        self.centre.restore(backup)
        self._start()

    def speak(self, *versions: int) -> None:
        """From the next call on, the centre speaks these versions of the protocol."""
        app = Flask("centre")
        add_kiosk_api(app, self.centre.parts, versions=frozenset(versions))
        self.between.centre = app

    def lose_chains(self) -> None:
        """The centre forgets the chains and receipts, and keeps the effects."""
        with self.centre.store.write() as db:
            db.execute("delete from receipts")
            db.execute("delete from chains")

    def close(self) -> None:
        self._stop()
        self.centre.store.close()

    def _start(self) -> None:
        self.between.centre = create_app(self.centre.parts, SocketPlaces(2), 2)
        self._server = make_server("127.0.0.1", self._port, self.between, threaded=True, request_handler=_Quiet)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def _stop(self) -> None:
        self.centre.store.news.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Subject(Protocol):
    """A client of the protocol, as the suite uses it."""

    def enrol(self, site: Site) -> None: ...
    def holder(self, uid: bytes) -> str | None:
        """The patient of a card, by the pulled rows."""

    def look_up(self, uid: bytes) -> None:
        """Asks the centre who holds a card."""

    def blocked(self, uid: bytes) -> bool:
        """Whether a card was reported lost, by the pulled pages."""

    def check_in(self, uid: bytes) -> list[str]:
        """Scans, registers and confirms the arrival, offline. Returns the ids of the three actions."""

    def scan(self, uid: bytes) -> str:
        """Scans a card; an unknown card is checked in provisionally. Returns the action's id."""

    def answer(self, uid: bytes, text: str) -> list[str]:
        """Scans a card, and registers with an answer. Returns the ids of both actions."""

    def push(self) -> None: ...
    def push_once(self) -> float | None:
        """Pushes once at most. Returns the seconds that the centre asks to wait; None where nothing is pending."""

    def pull(self) -> None: ...
    def pull_once(self) -> None: ...
    def pull_is_refused(self) -> str:
        """Pulls once, which the centre refuses. Returns the code."""

    def forget_answers(self) -> None:
        """Forgets all verdicts, as if no answer to a push had arrived."""

    def break_chain(self) -> None:
        """Breaks the chain, as if the disk was set back."""

    def lose(self, action_id: str) -> None:
        """Drops an action, which never comes back."""

    def verdict(self, action_id: str) -> tuple[str, str] | None: ...
    def state(self, patient_id: str) -> str | None:
        """The state of the patient's base."""

    def pending(self) -> int: ...
    def pending_visits(self) -> set[str]:
        """The visits of the pending actions."""

    def close(self) -> None: ...


class RealAgent:
    """The product's kiosk: store, journey service, push and pull steps, HTTP client."""

    def __init__(self, directory: Path, versions: frozenset[int] = SUPPORTED_VERSIONS) -> None:
        self._store = KioskStore(directory / f"{new_id()}.db")
        self._versions = versions
        self._clients: list[CentralClient] = []

    def enrol(self, site: Site) -> None:
        self.parts = KioskParts(self._store, site_clock(site))
        self.journeys, self.ledger = self.parts.journeys, self.parts.ledger
        first = CentralClient(site.url)
        made = first.enrol(EnrolRequest(code=site.code(), actions=EVERYTHING))
        first.close()
        assert isinstance(made, Accepted), made
        self.ledger.enrol(made.answer)
        self.close_clients()
        self._clients = [CentralClient(site.url, made.answer.token) for _ in range(2)]
        pushing, pulling = self._clients
        self._pusher = Pusher(self.ledger, pushing, versions=Negotiation(self._versions))
        self._puller = Puller(self.ledger, pulling, wait_s=0, versions=Negotiation(self._versions))

    def holder(self, uid: bytes) -> str | None:
        return self.parts.patient_of_card(_cards(uid))

    def look_up(self, uid: bytes) -> None:
        assert Lookups(self.ledger, lambda: self._clients[1], lambda *_: None).run_once(_cards(uid))

    def blocked(self, uid: bytes) -> bool:
        with self._store.read() as db:
            return patients.find_card(db, self.parts.kiosk.cards.present(_cards(uid))).is_blocked

    def check_in(self, uid: bytes) -> list[str]:
        done = self.journeys.tap(_cards(uid), ("scan_nfc",))
        assert done is not None
        ids = [*done.action_ids]
        for action_type in ("register", "confirm_arrival"):
            ids += self.journeys.act(done.patient_id, action_type, None, {}, _cards(uid)).action_ids
        return [str(each) for each in ids]

    def scan(self, uid: bytes) -> str:
        done = self.journeys.tap(_cards(uid), ("scan_nfc",))
        if done is None:
            name = PatientId(f"card-{new_id()}")
            done = self.journeys.check_in_unknown(name, _cards(uid), "scan_nfc", None)
        return str(done.action_ids[0])

    def answer(self, uid: bytes, text: str) -> list[str]:
        scanned = self.scan(uid)
        said = {"answers": {"note": text}}
        registered = self.journeys.act(str(self.holder(uid)), "register", None, said, _cards(uid))
        return [scanned, *map(str, registered.action_ids)]

    def push(self) -> None:
        for _ in range(20):
            if not self._pusher.run_once().again and not self.parts.pending():
                return
        raise AssertionError("the outbox does not drain")

    def push_once(self) -> float | None:
        return self._pusher.run_once().retry_after_s or 0 if self.parts.pending() else None

    def pull_once(self) -> None:
        self._puller.run_once()

    def pull(self) -> None:
        for _ in range(20):
            if not self._puller.run_once().again:
                return
        raise AssertionError("the roster does not end")

    def pull_is_refused(self) -> str:
        stepped = self._puller.run_once()
        assert stepped.failed
        return str(stepped.refusal or stepped.reason)

    def forget_answers(self) -> None:
        with self._store.write() as db:
            db.execute("update outbox set status = 'pending', code = null")

    def break_chain(self) -> None:
        with self._store.write() as db:
            db.execute("update identity set last_hash = 'lost'")

    def lose(self, action_id: str) -> None:
        with self._store.write() as db:
            db.execute("delete from outbox where action_id = ?", (action_id,))

    def verdict(self, action_id: str) -> tuple[str, str] | None:
        with self._store.read() as db:
            row = next(row for row in outbox.rows(db) if row.action_id == action_id)
        return (row.status, row.code) if row.code else None

    def state(self, patient_id: str) -> str | None:
        with self._store.read() as db:
            known = patients.read(db, patient_id)
        return known.base.state if known else None

    def pending(self) -> int:
        return self.parts.pending()

    def pending_visits(self) -> set[str]:
        with self._store.read() as db:
            return {row[0] for row in db.execute("select visit_id from outbox where status = 'pending'")}

    def close_clients(self) -> None:
        for client in self._clients:
            client.close()

    def close(self) -> None:
        self.close_clients()
        self._store.close()


class Second:
    """The client that was written from the document."""

    def __init__(self, _: Path) -> None:
        self._known: SecondClient | None = None

    @property
    def _client(self) -> SecondClient:
        assert self._known is not None
        return self._known

    def enrol(self, site: Site) -> None:
        if self._known is None:
            self._known = SecondClient(site.url)
            self._known.clock = site_clock_as_json(site)  # type: ignore[method-assign]
        self._known.token = ""
        self._known.enrol(site.code(), actions=list(EVERYTHING))

    def holder(self, uid: bytes) -> str | None:
        found = self._client.holder(uid.hex())
        return found[0] if found else None

    def look_up(self, uid: bytes) -> None:
        self._client.look_up(uid.hex())

    def blocked(self, uid: bytes) -> bool:
        return self._client.is_blocked(uid.hex())

    def check_in(self, uid: bytes) -> list[str]:
        client = self._client
        scanned = self._scan(uid)
        beside = {name: scanned[name] for name in ("visit_id", "card", "binding_id", "appointment_ids", "site_day")}
        who = scanned["patient_id"]
        registered = client.act("register", who, journey_state="ARRIVED", **beside)
        number = client.number()
        confirmed = client.act("confirm_arrival", who, journey_state="REGISTERED", queue_number=number, **beside)
        return [body["action_id"] for body in (scanned, registered, confirmed)]

    def scan(self, uid: bytes) -> str:
        return str(self._scan(uid)["action_id"])

    def answer(self, uid: bytes, text: str) -> list[str]:
        scanned = self._scan(uid)
        names = ("visit_id", "card", "site_day", "provisional")
        beside = {name: scanned[name] for name in names if name in scanned}
        said = {"answers": {"note": text}}
        registered = self._client.act(
            "register", scanned["patient_id"], journey_state="ARRIVED", payload=said, **beside
        )
        return [scanned["action_id"], registered["action_id"]]

    def push(self) -> None:
        for _ in range(20):
            if self._client.push() is None:
                return
        raise AssertionError("the outbox does not drain")

    def push_once(self) -> float | None:
        return self._client.push()

    def pull(self) -> None:
        for _ in range(20):
            if not self._client.page():
                return
        raise AssertionError("the roster does not end")

    def pull_once(self) -> None:
        self._client.page()

    def pull_is_refused(self) -> str:
        try:
            self._client.page()
        except Refused as refused:
            return refused.code
        raise AssertionError("it was answered")

    def forget_answers(self) -> None:
        for row in self._client.outbox:
            row["verdict"] = None

    def break_chain(self) -> None:
        self._client.head = "lost"

    def lose(self, action_id: str) -> None:
        client = self._client
        client.outbox = [row for row in client.outbox if row["body"]["action_id"] != action_id]

    def verdict(self, action_id: str) -> tuple[str, str] | None:
        row = next(each for each in self._client.outbox if each["body"]["action_id"] == action_id)
        return (row["verdict"]["verdict"], row["verdict"]["code"]) if row["verdict"] else None

    def state(self, patient_id: str) -> str | None:
        row = self._client.patients.get(patient_id)
        return row["journey"]["state"] if row else None

    def pending(self) -> int:
        return len(self._client.pending())

    def pending_visits(self) -> set[str]:
        return {row["visit_id"] for row in self._client.pending()}

    def close(self) -> None:
        """Does nothing: this client holds no connection."""

    def _scan(self, uid: bytes) -> dict[str, Any]:
        client, card = self._client, self._client.card(uid.hex())
        found = client.holder(uid.hex())
        if found is None:
            return client.act("scan_nfc", f"card-{uuid7()}", card=card, provisional=True, site_day=DAY)
        row = client.patients[found[0]]
        booked = [a["appointment_id"] for a in row["journey"]["appointments"] if a["status"] == "booked"]
        return client.act(
            "scan_nfc", found[0], card=card, binding_id=found[1], appointment_ids=booked, visit_id=uuid7()
        )


Make = Callable[[], Subject]


def verdicts_of(subject: Subject, ids: list[str]) -> list[tuple[str, str] | None]:
    """The verdicts of these actions, as the client has them."""
    return [subject.verdict(each) for each in ids]


def site_clock(site: Site) -> Any:
    """A kiosk's clocks, by the time of the test."""
    return lambda: ClockReading(site.centre.time(), site.centre.time() - 1_000_000, "boot", synchronised=True)


def site_clock_as_json(site: Site) -> Any:
    def clock() -> dict[str, Any]:
        now = site.centre.time()
        return {"wall_ms": now, "mono_ms": now - 1_000_000, "boot_id": "boot", "synchronised": True}

    return clock


def _cards(uid: bytes) -> Any:
    return KEYS.hashes(canonical_card("iso14443a", uid))
