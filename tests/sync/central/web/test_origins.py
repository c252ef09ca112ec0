"""Pages and apps of other origins: which may read answers, which may open the socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from playwright.sync_api import Browser
from simple_websocket import ConnectionError as NoHandshake
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from sync.central.network.web_settings import WebSettings
from sync.central.web.origins import Origins
from tests.sync.central.online import API, Online

PUBLIC = "https://checkin.hospital.example"
APP, ANDROID, IOS = "https://app.example:8443", "https://localhost", "capacitor://localhost"
FOREIGN = (
    "https://evil.example",
    "null",
    "file://",
    "http://app.example:8443",
    "https://app.example",
    "https://app.example:8443.evil.example",
    "https://checkin.hospital.example.evil.example",
    "http://checkin.hospital.example",
)
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
DEFINITIONS = f"{API}/state-definitions/"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    """A centre with a public URL and apps of three other origins."""
    web = WebSettings(PUBLIC, allowed_origins=(APP, ANDROID, IOS))
    made = Online(tmp_path_factory.mktemp("public"), web=web)
    yield made
    made.close()


def asked(centre: Online, origin: str | None, method: str = "GET", path: str = DEFINITIONS, **more: str):
    headers = more if origin is None else {"Origin": origin} | more
    return centre.call(method, path, headers=headers)


def granted(response: requests.Response) -> str | None:
    return response.headers.get("Access-Control-Allow-Origin")


@pytest.mark.parametrize("origin", [APP, ANDROID, IOS])
def test_an_allowed_origin_may_read_answers_and_errors(public: Online, origin: str):
    for response in (
        asked(public, origin),
        asked(public, origin, path=f"{API}/patient-journey/current-state/"),
        asked(public, origin, path="/nowhere"),
    ):
        assert granted(response) == origin
        assert response.headers["Access-Control-Expose-Headers"] == "ETag, Retry-After, X-Request-ID"
        assert response.headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize("origin", [APP, ANDROID, IOS])
def test_a_browser_may_ask_before_it_sends_a_token(public: Online, origin: str):
    response = asked(public, origin, "OPTIONS", f"{API}/patient-journey/perform-action/", **PREFLIGHT)
    assert (response.status_code, response.content) == (204, b"")
    assert granted(response) == origin
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "POST" in response.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_any_other_origin_is_granted_nothing(public: Online, origin: str):
    for response in (asked(public, origin), asked(public, origin, "OPTIONS", **PREFLIGHT)):
        assert granted(response) is None
        assert not {"Access-Control-Allow-Headers", "Access-Control-Allow-Credentials"} & set(response.headers)


def test_a_cache_is_told_that_answers_differ_by_origin(public: Online):
    for origin in (None, APP, "https://evil.example"):
        assert "Origin" in asked(public, origin).headers["Vary"]
        assert "Origin" in asked(public, origin, "OPTIONS", **PREFLIGHT).headers["Vary"]


def test_the_endpoints_of_kiosks_are_for_no_page(public: Online):
    for path in (f"{API}/sync/pull", f"{API}/kiosks/enroll"):
        assert granted(asked(public, APP, "POST", path)) is None
        assert granted(asked(public, APP, "OPTIONS", path, **PREFLIGHT)) is None


def test_without_allowed_origins_no_answer_speaks_of_them(online: Online):
    response = asked(online, APP)
    assert granted(response) is None
    assert "Vary" not in response.headers


@pytest.mark.parametrize("origin", [None, PUBLIC, APP, ANDROID, IOS])
def test_apps_and_pages_of_the_public_url_and_of_allowed_origins_open_the_socket(public: Online, origin: str | None):
    token = public.own_token(public.newcomer())
    with public.socket(token, headers={} if origin is None else {"Origin": origin}) as socket:
        assert socket.next()["type"] == "initial_state"


@pytest.mark.parametrize("origin", FOREIGN)
def test_pages_of_other_origins_open_no_socket(public: Online, origin: str):
    token = public.own_token(public.newcomer())
    with pytest.raises(NoHandshake) as refused, public.socket(token, headers={"Origin": origin}):
        pass
    assert refused.value.status_code == 403


def test_with_a_public_url_the_host_of_the_request_proves_nothing(public: Online):
    """A page whose name was pointed at the centre's address has that name as its origin and as the host."""
    token = public.own_token(public.newcomer())
    with pytest.raises(NoHandshake), public.socket(token, headers={"Origin": f"http://{public.host}"}):
        pass


@pytest.mark.parametrize("origin", ["null", "file://"])
def test_an_origin_without_a_host_is_not_that_of_a_request_without_one(origin: str):
    environ = {"HTTP_ORIGIN": origin, "SERVER_PORT": "8000", "wsgi.url_scheme": "http"}
    assert not Origins(WebSettings()).may_open_socket(environ)
    assert not Origins(WebSettings()).may_open_socket(environ | {"HTTP_HOST": ""})


@pytest.mark.parametrize(("origin", "is_own"), [("https://centre.example", True), ("http://centre.example", False)])
def test_a_page_over_http_is_not_of_a_centre_over_https(origin: str, is_own: bool):
    environ = {"HTTP_ORIGIN": origin, "HTTP_HOST": "centre.example", "SERVER_PORT": "443", "wsgi.url_scheme": "https"}
    assert Origins(WebSettings()).may_open_socket(environ) is is_own
    assert Origins(WebSettings()).may_use_cookie(environ) is is_own


@pytest.mark.parametrize("origin", ["null", "file://"])
def test_a_webview_without_a_host_is_let_in_where_the_site_names_its_origin(
    tmp_path_factory: pytest.TempPathFactory, origin: str
):
    centre = Online(tmp_path_factory.mktemp("webview"), web=WebSettings(allowed_origins=(origin,)))
    try:
        assert granted(asked(centre, origin)) == origin
        assert "Access-Control-Allow-Credentials" not in asked(centre, origin).headers, "many pages have this origin"
        with centre.socket(centre.own_token(centre.newcomer()), headers={"Origin": origin}) as socket:
            assert socket.next()["type"] == "initial_state"
    finally:
        centre.close()


@pytest.mark.browser
def test_a_real_browser_lets_a_page_of_an_allowed_origin_alone_read_and_act(
    tmp_path_factory: pytest.TempPathFactory, browser: Browser
):
    with _pages() as allowed, _pages() as foreign:
        centre = Online(tmp_path_factory.mktemp("browser"), web=WebSettings(allowed_origins=(allowed,)))
        try:
            token = centre.own_token(centre.newcomer())
            results = {}
            for origin in (allowed, foreign):
                page = browser.new_page()
                page.goto(origin)
                results[origin] = page.evaluate(_CALLS, [centre.host, token])
                page.close()
        finally:
            centre.close()
    assert results[allowed] == ["200", "200", "initial_state", "200", "initial_state"]
    assert results[foreign] == ["TypeError", "TypeError", "refused", "TypeError", "refused"]


_CALLS = """async ([host, token]) => {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const call = (path, rest) => fetch(`http://${host}/api/v1/${path}/`, { headers, ...rest })
    .then((answer) => String(answer.status), (error) => error.name);
  const body = JSON.stringify({ action_type: 'scan_nfc', action_id: crypto.randomUUID?.() ?? null, payload: {} });
  const socket = (...protocols) => new Promise((resolve) => {
    const opened = new WebSocket(`ws://${host}/ws/patient-journey/`, ...protocols);
    opened.onmessage = (message) => resolve(JSON.parse(message.data).type);
    opened.onclose = () => resolve('refused');
  });
  return [
    await call('patient-journey/current-state'),
    await call('patient-journey/perform-action', { method: 'POST', body }),
    await socket(['bearer', token]),
    await call('session', { method: 'POST', credentials: 'include' }),
    await socket(),
  ];
}"""


@contextmanager
def _pages() -> Iterator[str]:
    """An origin of its own with an empty page."""
    server = make_server("127.0.0.1", 0, Response("<!doctype html>", mimetype="text/html"), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
