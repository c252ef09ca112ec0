"""Sessions of browsers: the cookie that a token is exchanged for, what it opens and what not, and its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from simple_websocket import ConnectionError as NoHandshake

from sync.central.network.bearer import SECURE_SESSION, SESSION
from sync.central.network.web_settings import WebSettings
from sync.central.records.sessions import SESSIONS_OF_A_TOKEN, delete_ended_sessions
from sync.central.records.tokens import hash_of, revoke
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.online import API, Online

UNAUTHORIZED = 4401
PUBLIC, APP, ANYBODY = "https://checkin.hospital.example", "https://app.hospital.example", "null"
PATH = f"{API}/session/"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    """A centre behind a proxy, with a public URL, an app of another origin, and an origin that any page may have."""
    web = WebSettings(PUBLIC, trusted_proxies=("127.0.0.1/32",), allowed_origins=(APP, ANYBODY))
    made = Online(tmp_path_factory.mktemp("public"), web=web)
    yield made
    made.close()


@pytest.fixture
def own(online: Online) -> str:
    """The token of a patient."""
    return online.own_token(online.newcomer())


def begun(centre: Online, token: str, **headers: str) -> requests.Response:
    answer = centre.call("POST", PATH, token, headers=headers)
    assert answer.ok, answer.text
    return answer


def cookie_of(centre: Online, token: str) -> dict[str, str]:
    """The headers of a page of the centre's own origin, after its token was exchanged."""
    session = begun(centre, token).cookies[SESSION]
    return {"Cookie": f"{SESSION}={session}", "Origin": f"http://{centre.host}"}


def test_the_cookie_opens_the_socket_without_a_header(online: Online, own: str):
    with online.socket(None, headers=cookie_of(online, own)) as socket:
        assert socket.next()["payload"] == online.state(own).json()
        socket.ask("perform_action", action_type="scan_nfc", payload={}, action_id=new_id())
        assert socket.until("action_result")["payload"]["journey_state"] == "ARRIVED"


def test_no_script_reads_the_cookie_and_no_other_site_sends_it(online: Online, own: str):
    parts = {each.strip() for each in begun(online, own).headers["Set-Cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= parts
    assert not {each.partition("=")[0] for each in parts} & {"Secure", "Domain", "Expires", "Max-Age"}


def test_over_https_the_cookie_is_of_this_host_alone(public: Online):
    token = public.own_token(public.newcomer())
    cookie = begun(public, token, **{"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
    assert cookie.startswith(f"{SECURE_SESSION}=")
    assert "Secure" in {each.strip() for each in cookie.split(";")}


def test_the_cookie_is_not_the_token_and_is_stored_as_its_hash(online: Online, own: str):
    session = begun(online, own).cookies[SESSION]
    assert own not in session
    assert online.call("GET", f"{API}/patient-journey/current-state/", session).status_code == 401
    stored = [row["session_hash"] for row in online.centre.rows("select session_hash from sessions")]
    assert hash_of(session) in stored
    assert session not in stored


def test_the_cookie_opens_nothing_but_the_socket(online: Online, own: str):
    headers = cookie_of(online, own)
    assert online.call("GET", f"{API}/patient-journey/current-state/", headers=headers).status_code == 401
    body = {"action_type": "scan_nfc", "payload": {}}
    act = online.call("POST", f"{API}/patient-journey/perform-action/", headers=headers, json=body)
    assert act.status_code == 401
    assert online.call("POST", PATH, headers=headers).status_code == 401, "nor another session"


@pytest.mark.parametrize("origin", [None, "https://evil.example", ANYBODY])
def test_a_cookie_without_an_origin_that_may_use_it_opens_and_ends_nothing(public: Online, origin: str | None):
    session = begun(public, public.own_token(public.newcomer())).cookies[SESSION]
    headers = {"Cookie": f"{SESSION}={session}"} | ({"Origin": origin} if origin else {})
    with pytest.raises(NoHandshake) as refused, public.socket(None, headers=headers):
        pass
    assert refused.value.status_code == 403
    assert public.call("DELETE", PATH, headers=headers).json()["code"] == "foreign_origin"


@pytest.mark.parametrize("origin", [PUBLIC, APP])
def test_pages_of_the_public_url_and_of_allowed_origins_use_the_cookie(public: Online, origin: str):
    session = begun(public, public.own_token(public.newcomer())).cookies[SESSION]
    headers = {"Cookie": f"other=1; {SESSION}={session}", "Origin": origin}
    with public.socket(None, headers=headers) as socket:
        assert socket.next()["type"] == "initial_state"


def test_a_session_that_is_ended_closes_its_sockets_and_no_others(online: Online, own: str):
    headers, others = cookie_of(online, own), cookie_of(online, own)
    with (
        online.socket(None, headers=headers) as socket,
        online.socket(None, headers=others) as other,
        online.socket(own) as by_token,
    ):
        for each in (socket, other, by_token):
            each.next()
        ended = online.call("DELETE", PATH, headers=headers)
        assert ended.json() == {"ended": True}
        assert "Max-Age=0" in ended.headers["Set-Cookie"]
        assert socket.closed() == UNAUTHORIZED
        for each in (other, by_token):
            each.ask("ping")
            assert each.next() == {"type": "pong"}
    assert online.call("DELETE", PATH, headers=headers).json() == {"ended": False}
    with online.socket(None, headers=headers) as socket:
        assert socket.closed() == UNAUTHORIZED


def test_without_a_cookie_there_is_no_session_to_end(online: Online):
    answer = online.call("DELETE", PATH, headers={"Origin": f"http://{online.host}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_a_session_ends_with_its_token(online: Online, own: str):
    headers = cookie_of(online, own)
    with online.socket(None, headers=headers) as socket:
        socket.next()
        with online.centre.store.write() as db:
            assert revoke(db, hash_of(own), online.centre.clock())
        assert socket.closed() == UNAUTHORIZED
    with online.centre.store.write() as db:
        delete_ended_sessions(db, online.centre.clock())
    rows = "select 1 from sessions where token_hash = :token_hash"
    assert online.centre.rows(rows, token_hash=hash_of(own)) == []


def test_a_session_expires_with_its_token(online: Online):
    now_ms = online.centre.clock()
    token = online.centre.token(Role.PATIENT, online.newcomer(), expires_ms=now_ms + 1000)
    with online.socket(None, headers=cookie_of(online, token)) as socket:
        socket.next()
        online.centre.clock.now_ms += 60_000
        assert socket.closed() == UNAUTHORIZED


def test_the_oldest_of_too_many_sessions_of_a_token_ends(online: Online, own: str):
    first = cookie_of(online, own)
    with online.socket(None, headers=first) as socket:
        socket.next()
        for _ in range(SESSIONS_OF_A_TOKEN):
            online.centre.clock.now_ms += 60_000
            begun(online, own)
        assert socket.closed() == UNAUTHORIZED
    rows = "select 1 from sessions where token_hash = :token_hash"
    assert len(online.centre.rows(rows, token_hash=hash_of(own))) == SESSIONS_OF_A_TOKEN


def test_a_token_in_the_handshake_counts_before_a_cookie(online: Online, own: str):
    other = online.own_token(online.newcomer())
    online.act(other, "scan_nfc")
    with online.socket(other, headers=cookie_of(online, own)) as socket:
        assert socket.next()["payload"]["journey_state"] == "ARRIVED"
