"""The way into the page: nothing is served to a browser without the cookie, and a one-time URL gives it."""

from __future__ import annotations

import http.client
import logging
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import requests
from simple_websocket.errors import ConnectionError as Refused

from kiosk.config import DisplaySection
from kiosk.ui.admission import KEY_S, MAX_KEYS, Admission
from kiosk.ui.app import create_app
from kiosk.ui.server import PageServer
from tests.kiosk.ui.admitted import ADMISSION, cookie_of
from tests.kiosk.ui.conftest import Client, serving
from tests.kiosk.ui.line import Page
from tests.kiosk.ui.staged import HONG, StagedCounter

FREE = {"/healthz", "/open/<key>"}


@pytest.fixture(scope="module")
def counter() -> StagedCounter:
    return StagedCounter(demo=True)


@pytest.fixture(scope="module")
def server(counter: StagedCounter) -> Iterator[PageServer]:
    with serving(counter) as server:
        yield server


class Route(NamedTuple):
    method: str
    rule: str

    @property
    def path(self) -> str:
        return self.rule.replace("<path:filename>", "main.js")


def routes() -> list[Route]:
    """Every route of the app, by each of its methods, those that Flask adds too."""
    app = create_app(StagedCounter(), DisplaySection(), Admission(b"no server's"))
    return sorted(
        Route(method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.rule not in FREE
    )


STRANGERS = {
    "no cookie": {},
    "an empty cookie": {"Cookie": "nfc-kiosk-page-{port}="},
    "a forged cookie": {
        "Cookie": "nfc-kiosk-page-{port}=AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    },
    "a cookie of another kiosk": {"Cookie": "nfc-kiosk-page-{port}=" + Admission(b"another's").make_cookie()},
    "a cookie of another port": cookie_of(1),
    "nonsense": {"Cookie": "nfc-kiosk-page-{port}=a=b; ;;=;"},
}


def stranger(server: PageServer, name: str) -> dict[str, str]:
    return {key: value.format(port=server.port) for key, value in STRANGERS[name].items()}


def call(
    server: PageServer, method: str, path: str, headers: dict[str, str]
) -> tuple[int, http.client.HTTPMessage, str]:
    """One request as it stands: requests would keep cookies and follow redirects."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    line.request(method, path, headers={"X-Kiosk": "1", **headers})
    answer = line.getresponse()
    text = answer.read().decode()
    line.close()
    return answer.status, answer.headers, text


def new_path() -> str:
    """The path of a one-time URL."""
    return ADMISSION.one_time_url("/")


# Without the cookie.


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("route", routes(), ids=str)
def test_no_route_answers_a_browser_without_the_cookie(
    server: PageServer, counter: StagedCounter, route: Route, name: str
):
    counter.tap(HONG)
    status, headers, text = call(server, route.method, route.path, stranger(server, name))
    assert status == 403
    assert "Set-Cookie" not in headers
    assert HONG.patient_id not in text
    assert HONG.masked_name not in text
    if route.method != "HEAD":
        assert ("no_page" in text) == (route.path != "/")
    assert (counter.acts, counter.keeps) == ([], 0)
    assert counter.screen().patient is not None  # no press of a stranger has ended the visit


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("DELETE", "/api/v1/state"), ("POST", "/open/x")])
def test_a_stranger_does_not_learn_which_routes_there_are(server: PageServer, method: str, path: str):
    status, _, text = call(server, method, path, {})
    assert (status, '"no_page"' in text) == (403, True)


def test_everybody_may_ask_for_the_health(server: PageServer):
    assert requests.get(server.url + "healthz", timeout=30).json() == {"status": "ok", "faults": []}


@pytest.mark.parametrize("name", STRANGERS)
def test_no_socket_opens_without_the_cookie(server: PageServer, name: str):
    with pytest.raises(Refused) as refused:
        Page(server, {"Cookie": "", **stranger(server, name)})
    assert "403" in str(refused.value)


def test_a_foreign_page_is_refused_as_such_with_the_cookie_and_without(server: PageServer):
    for headers in ({}, cookie_of(server.port)):
        status, _, text = call(server, "GET", "/", {"Host": "evil.example", **headers})
        assert (status, "foreign_host" in text) == (403, True)
        status, _, text = call(server, "GET", "/open/x", {"Origin": "https://evil.example", **headers})
        assert (status, "foreign_origin" in text) == (403, True)


def test_a_browser_without_the_cookie_reads_where_to_go_in_both_languages_without_a_script(server: PageServer):
    status, headers, text = call(server, "GET", "/", {})
    assert (status, headers.get_content_type()) == (403, "text/html")
    assert text.index('lang="ko"') < text.index("접수 창구") < text.index("This kiosk is out of order")
    assert "Please check in at the desk." in text
    assert "kiosk page-url" in text
    assert "<script" not in text
    assert "script-src" not in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]


# By a one-time URL.


def test_a_one_time_url_gives_the_cookie_and_leads_to_the_page(server: PageServer):
    status, headers, text = call(server, "GET", new_path(), {})
    assert (status, headers["Location"], text) == (303, "/", "")
    cookie, *attributes = headers["Set-Cookie"].split("; ")
    assert cookie.startswith(f"nfc-kiosk-page-{server.port}=")
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    status, _, page = call(server, "GET", "/", {"Cookie": cookie})
    assert (status, "main.js" in page) == (200, True)
    assert call(server, "GET", "/api/v1/state", {"Cookie": cookie})[0] == 200


def test_a_used_url_is_of_no_use_to_another_browser(server: PageServer):
    path = new_path()
    assert call(server, "GET", path, {})[0] == 303
    status, headers, text = call(server, "GET", path, {})
    assert (status, "Set-Cookie" in headers, "out of order" in text) == (403, False, True)


@pytest.mark.parametrize("path", ["/open/x", "/open/%FF", "/open/%F0%9F%90%BB", "/open/" + "x" * 5000, "/open/%00"])
def test_a_browser_that_is_in_is_led_to_the_page_by_any_key(server: PageServer, path: str):
    assert call(server, "GET", path, {})[0] == 403
    status, headers, _ = call(server, "GET", path, cookie_of(server.port))
    assert (status, headers["Location"], "Set-Cookie" in headers) == (303, "/", False)


def test_a_head_uses_no_key_up(server: PageServer):
    path = new_path()
    for _ in range(3):
        status, headers, _ = call(server, "HEAD", path, {})
        assert (status, "Set-Cookie" in headers) == (303, False)
    assert call(server, "OPTIONS", path, {})[0] == 200
    assert call(server, "GET", path, {})[0] == 303
    assert call(server, "HEAD", path, {})[0] == 403


def test_two_browsers_with_two_urls_are_both_in(server: PageServer):
    with Client(server.url) as first, Client(server.url) as second:
        assert first.get("/api/v1/state").json() == second.get("/api/v1/state").json()


def test_an_expired_key_and_one_key_too_many_open_nothing(counter: StagedCounter):
    now = [0.0]
    admission = Admission(b"a key", lambda: now[0])
    server = PageServer(create_app(counter, DisplaySection(), admission), admission, "127.0.0.1", 0)
    server.start()
    try:
        oldest, *rest = [admission.one_time_url("/") for _ in range(MAX_KEYS + 1)]
        assert call(server, "GET", oldest, {})[0] == 403
        assert call(server, "GET", rest[0], {})[0] == 303
        now[0] = KEY_S
        assert call(server, "GET", rest[1], {})[0] == 403
    finally:
        server.stop()


def test_no_key_and_no_cookie_is_in_an_answer_or_a_log(server: PageServer, caplog: pytest.LogCaptureFixture, capfd):
    path = new_path()
    with caplog.at_level(logging.DEBUG):
        _, headers, _ = call(server, "GET", path, {})
        cookie = headers["Set-Cookie"].split(";")[0]
        texts = [
            call(server, "GET", path, {})[2],
            call(server, "GET", path, {"Cookie": cookie})[2],
            call(server, "GET", "/", {"Cookie": cookie})[2],
            call(server, "GET", "/api/v1/state", {"Cookie": cookie + "x"})[2],
        ]
    secret = re.compile("|".join(map(re.escape, (path.removeprefix("/open/"), cookie.split("=")[1]))))
    assert not [text for text in texts if secret.search(text)]
    assert not secret.search(caplog.text)
    assert capfd.readouterr() == ("", "")
