"""The requests that the page's server accepts, and the headers that restrict a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from simple_websocket.errors import ConnectionError as Refused

from kiosk.ui.server import PageServer
from tests.kiosk.ui.conftest import Client, serving
from tests.kiosk.ui.line import Page
from tests.kiosk.ui.staged import StagedCounter

HERE = ["127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8080", "127.9.9.9"]
ELSEWHERE = [
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "192.168.0.7",
    "0.0.0.0",
    "[fe80::1]",
    "localhost@evil.example",
    "evil.example@localhost",
    "localhost:8080:8080",
    "127.0.0.1, evil.example",
    "kiosk",
    "한국",
    "",
]


@pytest.fixture(scope="module")
def counter() -> StagedCounter:
    return StagedCounter()


@pytest.fixture(scope="module")
def server(counter: StagedCounter) -> Iterator[PageServer]:
    with serving(counter) as server:
        yield server


@pytest.mark.parametrize("host", HERE)
def test_a_loopback_name_reaches_the_page(kiosk: Client, host: str):
    assert kiosk.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_name_that_was_made_to_point_here_does_not(kiosk: Client, host: str):
    answer = kiosk.get("/healthz", headers={"Host": host.encode()})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host")


@pytest.mark.parametrize("host", HERE)
def test_a_page_of_this_machine_may_ask(kiosk: Client, host: str):
    answer = kiosk.post("/api/v1/leave", json={"stay": "S-1"}, headers={"Origin": f"http://{host}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "origin",
    [f"http://{host}" for host in ELSEWHERE]
    + ["null", "file://", "http://", "http://[", "ftp://localhost", "localhost", "http://localhost/evil"],
)
def test_a_page_from_elsewhere_may_not(kiosk: Client, origin: str):
    for answer in (
        kiosk.get("/api/v1/state", headers={"Origin": origin.encode()}),
        kiosk.post("/api/v1/leave", headers={"Origin": origin.encode()}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize("path", ["actions", "keep", "leave", "touch", "pace", "demo/cards"])
@pytest.mark.parametrize("header", [{}, {"X-Kiosk": ""}, {"X-Kiosk": "yes"}])
def test_a_change_needs_the_header_that_a_form_elsewhere_cannot_send(
    server: PageServer, path: str, header: dict[str, str]
):
    answer = requests.post(f"{server.url}api/v1/{path}", headers=header, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (403, "header_missing")


def test_no_other_origin_is_ever_invited(kiosk: Client):
    answer = kiosk.options("/api/v1/actions", headers={"Access-Control-Request-Method": "POST"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/v1/state", "/nowhere", "/healthz"])
def test_every_answer_forbids_what_the_page_does_not_need(kiosk: Client, path: str):
    headers = kiosk.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}],
    ids=["a foreign page", "a page without an origin"],
)
def test_a_foreign_page_gets_no_socket(server: PageServer, counter: StagedCounter, headers: dict[str, str]):
    with pytest.raises(Refused) as refused:
        Page(server, headers)
    assert "403" in str(refused.value)


def test_a_page_of_this_machine_gets_one(server: PageServer):
    page = Page(server, {"Origin": server.url.rstrip("/")})
    assert page.hear()["type"] == "initial_state"
    page.close()
