"""The wire over HTTP: the real application on a real port, the kiosk's client and agent, and bad requests."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.serving import WSGIRequestHandler, make_server

from kiosk.store.sqlite import Store
from sync.agent.client import Accepted, CentralClient, NoAnswer
from sync.agent.cycle import Agent
from sync.central.kiosks.enrolment import new_code
from sync.central.network.web_settings import WebSettings
from sync.central.records.kiosks import revoke_kiosk
from sync.central.records.tokens import hash_of, issue
from sync.central.web.app import create_app
from sync.central.web.kiosk_api import MAX_PUSH
from sync.central.web.socket_places import SocketPlaces
from sync.clock import ClockReading, read_clock
from sync.ids import new_id
from sync.journey.model import Role
from sync.protocol import (
    MAX_BATCH_BYTES,
    NO_HASH,
    CallRefused,
    EndCode,
    Enrolment,
    EnrolRequest,
    Intent,
    LookupRequest,
    PullRequest,
    Pushed,
    PushRequest,
    canonical,
    chain_hash,
)
from tests.kiosk.parts import KioskParts
from tests.sync.central.held_to_document import hold_to_document
from tests.sync.central.wire import Centre, Time, cards_of

PATIENCE_S = 30
PATHS = ("/api/v1/sync/push", "/api/v1/sync/pull", "/api/v1/sync/lookup", "/api/v1/kiosks/enroll")


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Logs nothing: a fault shows in the test."""


@dataclass
class Online:
    """A centre on a port."""

    centre: Centre
    url: str
    enrolment: Enrolment

    def post(self, path: str, body: bytes, token: str | None = None, **headers: str) -> requests.Response:
        given = {"Content-Type": "application/json"} | headers
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        answer = requests.post(self.url + path, data=body, headers=given, timeout=PATIENCE_S)
        hold_to_document(answer, behind_gateway=False)
        return answer

    def client(self) -> CentralClient:
        return CentralClient(self.url, self.enrolment.token)

    def push_body(self, actions: list[Pushed], **changes: Any) -> PushRequest:
        fields: dict[str, Any] = {
            "protocol_version": 2,
            "site_id": self.centre.site_id,
            "kiosk_id": self.enrolment.kiosk_id,
            "epoch": 1,
            "now": read_clock(),
            "actions": actions,
        }
        return PushRequest(**(fields | changes))


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    centre = Centre(tmp_path_factory.mktemp("centre") / "centre.db", Time())
    sockets = SocketPlaces(4)
    app = create_app(centre.parts, sockets, 4)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Online(centre, f"http://127.0.0.1:{server.server_port}", centre.enrol("A"))
    centre.store.news.close()
    server.shutdown()
    thread.join()
    server.server_close()
    centre.store.close()


def refusal(response: requests.Response) -> CallRefused:
    return msgspec.json.decode(response.content, type=CallRefused)


def code(online: Online) -> str:
    with online.centre.store.write() as db:
        return new_code(db, online.centre.time())


def test_a_box_enrols_checks_patients_in_and_both_ends_say_the_same(online: Online, tmp_path: Path):
    outcome = CentralClient(online.url).enrol(EnrolRequest(code=code(online), name="Lobby", ticket_prefix="L"))
    assert isinstance(outcome, Accepted)
    time = online.centre.time
    kiosk = KioskParts(Store(tmp_path / "kiosk.db"), lambda: ClockReading(time(), time(), "boot", True))
    kiosk.ledger.enrol(outcome.answer)
    heard = threading.Event()
    agent = Agent(
        kiosk.ledger,
        lambda: CentralClient(online.url, outcome.answer.token),
        lambda _: heard.set(),
        random.Random(1),
    )
    agent.start()
    try:
        wait_until(heard, lambda: kiosk.patient_of_card(cards_of("P2")) is not None)
        kiosk.journeys.tap(cards_of("P2"), ["scan_nfc"])
        kiosk.journeys.act("P2", "register", None, {})
        kiosk.journeys.act("P2", "confirm_arrival", None, {})
        agent.push_soon()
        wait_until(heard, lambda: kiosk.pending() == 0)
        assert online.centre.journey("P2").state == "WAITING"
        assert agent.online
        # A call of staff reaches the kiosk through the pull that waits.
        online.centre.staff("call_patient", "P2")
        wait_until(
            heard,
            lambda: (found := kiosk.journeys.patient_status("P2")) is not None and found.journey.state == "CALLED",
        )
    finally:
        agent.stop()


def wait_until(heard: threading.Event, so: Any) -> None:
    """Waits until the condition holds, and checks it at each announcement of the agent."""
    for _ in range(PATIENCE_S * 10):
        if so():
            return
        heard.wait(0.1)
        heard.clear()
    raise AssertionError("it never came to be")


def test_a_code_that_is_wrong_is_refused_in_the_protocols_words(online: Online):
    outcome = CentralClient(online.url).enrol(EnrolRequest(code="WRONG"))
    assert isinstance(outcome, CallRefused)
    assert outcome.code is EndCode.NOT_KNOWN


def test_who_guesses_codes_is_told_when_to_come_again(online: Online):
    answers = [online.post(PATHS[3], b'{"code": "WRONG"}') for _ in range(6)]
    last = answers[-1]
    assert (last.status_code, refusal(last).code) == (503, EndCode.TRY_LATER)
    assert int(last.headers["Retry-After"]) >= 1
    online.centre.time.pass_minutes(2)


def test_a_call_without_a_known_token_is_told_which_token_came(online: Online):
    for token in (None, "", "nk_nonsense", "x" * 5000):
        for path in PATHS[:3]:
            response = online.post(path, b"{}", token)
            assert (response.status_code, refusal(response).code) == (401, EndCode.NOT_KNOWN)
            assert refusal(response).token_sha256 == (hash_of(token) if token else None)
            assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_tokens_of_patients_and_staff_are_no_kiosks(online: Online):
    with online.centre.store.write() as db:
        tokens = [issue(db, Role.STAFF, 0), issue(db, Role.PATIENT, 0, patient_id="P1")]
    for token in tokens:
        for path in PATHS[:3]:
            response = online.post(path, b"{}", token)
            assert refusal(response).code is EndCode.NOT_KNOWN


def test_a_kiosk_looks_a_card_up(online: Online):
    client = online.client()
    request = LookupRequest(
        protocol_version=2,
        site_id=online.enrolment.site_id,
        kiosk_id=online.enrolment.kiosk_id,
        card=cards_of("P3")[0],
    )
    found = client.look_up(request)
    assert isinstance(found, Accepted)
    assert found.answer.patient is not None
    assert found.answer.patient.patient_id == "P3"
    unknown = client.look_up(msgspec.structs.replace(request, card=cards_of("nobody")[0]))
    assert isinstance(unknown, Accepted)
    assert unknown.answer.patient is None
    client.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/patient-journey/current-state/?patient_id=P1"),
        ("POST", "/api/v1/patient-journey/perform-action/"),
        ("GET", "/api/v1/queue/"),
        ("POST", "/api/v1/bindings/"),
    ],
)
def test_a_kiosks_token_reaches_the_wire_alone(online: Online, method: str, path: str):
    body = {"action_type": "scan_nfc", "payload": {"patient_id": "P1"}, "patient_id": "P1", "tag_id": "04a1b2c3"}
    response = requests.request(
        method,
        online.url + path,
        json=body,
        headers={"Authorization": f"Bearer {online.enrolment.token}"},
        timeout=PATIENCE_S,
    )
    assert response.status_code == 403


def test_a_revoked_kiosk_is_told_that_its_very_token_has_ended(online: Online):
    gone = online.centre.enrol("G")
    with online.centre.store.write() as db:
        revoke_kiosk(db, gone.kiosk_id, online.centre.time())
    outcome = CentralClient(online.url, gone.token).pull(
        PullRequest(protocol_version=2, site_id=gone.site_id, kiosk_id=gone.kiosk_id, epoch=1, cursor=0)
    )
    assert isinstance(outcome, CallRefused)
    assert (outcome.code, outcome.token_sha256) == (EndCode.ENDED, hash_of(gone.token))


@pytest.mark.parametrize("trusted", [("127.0.0.1/32",), ()])
def test_wrong_codes_count_for_the_client_behind_a_trusted_proxy_and_a_right_code_enrols_behind_any(
    tmp_path: Path, trusted: tuple[str, ...]
):
    centre = Centre(tmp_path / "centre.db", Time())
    client = create_app(centre.parts, SocketPlaces(1), 1, WebSettings(trusted_proxies=trusted)).test_client()

    def status(address: str, typed: str) -> int:
        headers = {"X-Forwarded-For": address}
        return client.post(PATHS[3], json={"code": typed}, headers=headers).status_code

    here, there = "192.0.2.1", "192.0.2.2"
    assert [status(here, "WRONG") for _ in range(6)] == [401] * 5 + [503]
    assert status(there, "WRONG") == (401 if trusted else 503), "behind an unknown proxy all are one address"
    with centre.store.write() as db:
        right = new_code(db, centre.time())
    assert status(here, right) == 200
    centre.store.close()


@pytest.mark.parametrize("site_id", ["", "01900000-0000-7000-8000-0000000000b2"])
def test_a_kiosk_of_another_site_is_told_so_whatever_its_token_and_nothing_is_stored(online: Online, site_id: str):
    own = online.centre.site_id
    before = online.centre.rows("select * from kiosks order by kiosk_id")
    for token in ("nobodys", online.enrolment.token):
        client = CentralClient(online.url, token)
        push = client.push(online.push_body([], site_id=site_id, epoch=9))
        pull = client.pull(
            PullRequest(protocol_version=2, site_id=site_id, kiosk_id=online.enrolment.kiosk_id, epoch=1, cursor=10**6)
        )
        for refused in (push, pull):
            assert isinstance(refused, CallRefused)
            assert (refused.code, refused.site_id) == (EndCode.OTHER_SITE, own)
    assert online.centre.rows("select * from kiosks order by kiosk_id") == before


def test_a_refusal_that_a_kiosk_obeys_names_the_site(online: Online):
    fresh = online.centre.enrol("N")
    client = CentralClient(online.url, fresh.token)
    gap = client.push(online.push_body([pushed(online, 7, fresh.kiosk_id)], kiosk_id=fresh.kiosk_id))
    fork = client.push(online.push_body([], kiosk_id=fresh.kiosk_id, epoch=9))
    foreign = client.push(online.push_body([], kiosk_id=online.enrolment.kiosk_id))
    unknown = CentralClient(online.url, "nobodys").push(online.push_body([]))
    without = CentralClient(online.url).push(online.push_body([]))
    with online.centre.store.write() as db:
        revoke_kiosk(db, fresh.kiosk_id, online.centre.time())
    ended = client.push(online.push_body([], kiosk_id=fresh.kiosk_id))
    for refused in (gap, fork, foreign, unknown, without, ended):
        assert isinstance(refused, CallRefused)
        assert refused.site_id == online.centre.site_id


def test_a_refusal_of_the_sender_says_why_and_what_to_do(online: Online):
    gone = online.centre.enrol("W")
    with online.centre.store.write() as db:
        revoke_kiosk(db, gone.kiosk_id, online.centre.time())
    body = online.push_body([])
    calls = [
        (online.client(), online.push_body([], site_id="another")),
        (CentralClient(online.url), body),
        (CentralClient(online.url, "nobodys"), body),
        (CentralClient(online.url, gone.token), online.push_body([], kiosk_id=gone.kiosk_id)),
    ]
    told = [client.push(message) for client, message in calls]
    assert [each.error for each in told if isinstance(each, CallRefused)] == [
        "this kiosk belongs to another site than this centre: check the address of the centre at the kiosk",
        "no token came with the call",
        "the token belongs to no kiosk of this name",
        "this kiosk was revoked: enrol it again",
    ]


def test_each_refusal_has_its_status(online: Online):
    fresh = online.centre.enrol("S")
    asked = [
        (online.push_body([pushed(online, 7, fresh.kiosk_id)], kiosk_id=fresh.kiosk_id), 409, EndCode.GAP),
        (online.push_body([], kiosk_id=fresh.kiosk_id, epoch=9), 409, EndCode.FORK),
        (online.push_body([], kiosk_id=online.enrolment.kiosk_id), 401, EndCode.NOT_KNOWN),
        (online.push_body([], kiosk_id=fresh.kiosk_id, protocol_version=99), 400, EndCode.UNSUPPORTED_VERSION),
    ]
    for body, status, ends in asked:
        response = online.post(PATHS[0], msgspec.json.encode(body), fresh.token)
        assert (response.status_code, refusal(response).code) == (status, ends)


def pushed(online: Online, seq: int, kiosk_id: str, payload: dict[str, Any] | None = None) -> Pushed:
    intent = Intent(
        site_id=online.centre.site_id,
        kiosk_id=kiosk_id,
        epoch=1,
        seq=seq,
        action_id=new_id(),
        action_type="scan_nfc",
        patient_id="P3",
        visit_id=new_id(),
        leg=0,
        queue_id=new_id(),
        queue_number="",
        base_version=0,
        definitions_version=1,
        site_day="2026-03-02",
        clock=read_clock(),
        payload=payload or {},
    )
    body = canonical(intent)
    return Pushed(chain_hash(NO_HASH, body), msgspec.Raw(body))


def test_a_batch_as_large_as_it_may_be_is_taken_and_a_larger_one_is_refused(online: Online):
    fresh = online.centre.enrol("M")
    client = CentralClient(online.url, fresh.token)
    largest = pushed(online, 1, fresh.kiosk_id, {"answer": "x" * (MAX_BATCH_BYTES - 1000)})
    outcome = client.push(online.push_body([largest], kiosk_id=fresh.kiosk_id))
    assert isinstance(outcome, Accepted)
    larger = pushed(online, 2, fresh.kiosk_id, {"answer": "x" * (2 * MAX_BATCH_BYTES)})
    outcome = client.push(online.push_body([larger], kiosk_id=fresh.kiosk_id))
    # The server may cut the connection before the whole body was sent.
    assert isinstance(outcome, NoAnswer) or outcome.code is EndCode.MALFORMED  # type: ignore[union-attr]


def test_a_body_without_an_end_is_not_waited_for_beyond_its_limit(online: Online):
    host, port = online.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        head = f"POST {PATHS[0]} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {online.enrolment.token}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n".encode())
        assert b" 413 " in connection.recv(4096).split(b"\r\n")[0]


def refused_calls(online: Online, kiosk_id: str) -> list[tuple[str, int]]:
    """The refused calls of a kiosk that staff know of: the call with the reason, and how often."""
    rows = online.centre.rows(
        "select matter, count from exceptions where code = 'call_refused' and kiosk_id = :id order by matter",
        id=kiosk_id,
    )
    return [(str(row["matter"]), int(str(row["count"]))) for row in rows]


def test_staff_hear_of_every_refused_call_of_a_kiosk_and_of_no_strangers(online: Online):
    fresh = online.centre.enrol("R")
    assert refusal(online.post(PATHS[0], b"{}", fresh.token)).code is EndCode.MALFORMED
    assert online.post(PATHS[0], b" " * (MAX_PUSH + 1), fresh.token).status_code == 413
    for _ in range(2):
        body = msgspec.json.encode(online.push_body([]))  # in another kiosk's name
        assert refusal(online.post(PATHS[0], body, fresh.token)).code is EndCode.NOT_KNOWN
    assert refusal(online.post(PATHS[2], b"{}", fresh.token)).code is EndCode.MALFORMED
    wanted = [("lookup malformed", 1), ("push malformed", 2), ("push not_known", 2)]
    assert refused_calls(online, fresh.kiosk_id) == wanted
    before = online.centre.rows("select count(*) as n from exceptions")
    assert online.post(PATHS[0], b"{}", "nk_nonsense").status_code == 401
    assert online.post(PATHS[0], b" " * (MAX_PUSH + 1), "nk_nonsense").status_code == 413
    assert online.centre.rows("select count(*) as n from exceptions") == before


GARBAGE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"not json",
    b"\xff\xfe",
    b'{"protocol_version": "one"}',
    b"[" * 5000,
    b'{"a":' * 5000,
    b'{"protocol_version": 2, "kiosk_id": "A", "epoch": 1e400, "cursor": 0}',
    b'{"code": 7}',
    b'{"code": ["x"]}',
    b'{"protocol_version":2,"kiosk_id":"kiosk-1","epoch":1,"now":{},"actions":[]}',
    b'{"protocol_version":2,"kiosk_id":"kiosk-1","epoch":1,"now":{"wall_ms":1,"mono_ms":1,"boot_id":"b",'
    b'"synchronised":true},"actions":[{"hash":"h"}]}',
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused_with_a_typed_body(online: Online, path: str, body: bytes):
    response = online.post(path, body, online.enrolment.token)
    assert response.status_code == 400
    assert refusal(response).code is EndCode.MALFORMED
    assert "Traceback" not in response.text


def test_a_call_with_a_text_that_not_every_database_holds_is_refused_and_an_action_with_one_is_not(online: Online):
    for body in (
        {"protocol_version": 2, "kiosk_id": "A", "epoch": 1, "cursor": 0, "chain_hash": "\0"},
        msgspec.to_builtins(online.push_body([], site_id="\0")),
    ):
        response = online.post(PATHS["chain_hash" in body], msgspec.json.encode(body), online.enrolment.token)
        assert refusal(response).code is EndCode.MALFORMED
    action = Pushed("h", msgspec.Raw(b'{"reason": "\\u0000"}'))
    response = online.post(PATHS[0], msgspec.json.encode(online.push_body([action])), online.enrolment.token)
    assert response.status_code == 200


def test_an_action_nested_without_end_is_refused(online: Online):
    body = msgspec.json.encode(online.push_body([Pushed("h", msgspec.Raw(b"[" * 3000 + b"]" * 3000))]))
    response = online.post(PATHS[0], body, online.enrolment.token)
    assert (response.status_code, refusal(response).code) == (400, EndCode.MALFORMED)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
fields = st.sampled_from(sorted(Intent.__struct_fields__))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(fields, json_values, max_size=4), value=json_values)
def test_whatever_stands_in_an_action_is_judged_or_set_aside(online: Online, changes: dict[str, object], value: object):
    """Every action of a batch that fits the chain has a verdict afterwards, with any content."""
    fresh = online.centre.enrol()
    first = msgspec.json.decode(pushed(online, 1, fresh.kiosk_id).body) | changes
    first["seq"] = 1
    head, actions = NO_HASH, []
    for document in (first, value):
        if isinstance(document, dict) and document is not first:
            document.pop("seq", None)
        body = canonical(document)
        head = chain_hash(head, body)
        actions.append(Pushed(head, msgspec.Raw(body)))
    body = online.push_body(actions, kiosk_id=fresh.kiosk_id)
    response = online.post(PATHS[0], msgspec.json.encode(body), fresh.token)
    assert response.status_code == 200, response.text
    assert [row["seq"] for row in response.json()["verdicts"]] == [1, 2]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), body=json_values)
def test_no_message_ever_breaks_the_service(online: Online, path: str, body: object):
    response = online.post(path, msgspec.json.encode(body), online.enrolment.token)
    assert response.status_code < 500


def test_a_centre_without_a_hospital_says_so_and_not_that_it_is_busy(tmp_path: Path):
    centre = Centre(tmp_path / "centre.db", Time())
    client = create_app(centre.parts, SocketPlaces(1), 1).test_client()
    with centre.store.write() as db:
        token = issue(db, Role.STAFF, 0)
        db.execute("delete from site")
    for path in PATHS:
        body = b'{"code": "X"}' if path.endswith("enroll") else b"{}"
        response = client.post(path, data=body)
        refused = msgspec.json.decode(response.data, type=CallRefused)
        assert (response.status_code, refused.code) == (503, EndCode.NO_SITE)
        assert refused.error == "this centre has no hospital yet: run kiosk-central import"
        assert "Retry-After" not in response.headers
    app = client.get("/api/v1/queue/", headers={"Authorization": f"Bearer {token}"})
    assert (app.status_code, app.get_json()["code"], "Retry-After" in app.headers) == (503, "no_site", False)
    centre.store.close()


def test_a_database_that_fails_says_try_later(tmp_path: Path):
    """The tables are gone: the failure is the database's, so the kiosk keeps its actions and sends them again."""
    centre = Centre(tmp_path / "centre.db", Time())
    enrolment = centre.enrol()
    client = create_app(centre.parts, SocketPlaces(1), 1).test_client()
    with centre.store.write() as db:
        db.execute("drop table receipts")
    online = Online(centre, "", enrolment)
    body = msgspec.json.encode(online.push_body([pushed(online, 1, enrolment.kiosk_id)]))
    response = client.post(PATHS[0], data=body, headers={"Authorization": f"Bearer {enrolment.token}"})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert msgspec.json.decode(response.data, type=CallRefused).code is EndCode.TRY_LATER
    assert centre.journey("P3").state == "UNREGISTERED"
    centre.store.close()
