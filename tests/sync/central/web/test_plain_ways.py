"""Requests that crossed a network in clear, and what browsers are told of https."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest
from flask import Flask

from sync.central.network.web_settings import WebSettings
from sync.central.web.http import harden
from sync.central.web.plain_ways import watch_plain_ways

PROXY, OTHER = "10.0.0.1", "192.0.2.7"
WEB = WebSettings("https://checkin.example", ("10.0.0.0/24",))


class Watched:
    """An application behind the watch, and what a request of a peer gets."""

    def __init__(self, web: WebSettings = WEB, *, proxies_only: bool = True) -> None:
        self.served: list[str] = []
        self._application = watch_plain_ways(self._serve, web, proxies_only=proxies_only)

    def _serve(self, environ: Any, start_response: Any) -> list[bytes]:
        self.served.append(environ["REMOTE_ADDR"])
        start_response("200 OK", [])
        return [b""]

    def ask(self, peer: str, proto: str = "") -> tuple[str, dict[str, str], bytes]:
        answered: list[Any] = []
        environ = {"REQUEST_METHOD": "GET", "REMOTE_ADDR": peer} | ({"HTTP_X_FORWARDED_PROTO": proto} if proto else {})
        body = self._application(environ, lambda status, headers: answered.extend((status, dict(headers))))  # type: ignore[arg-type, return-value]
        return answered[0], answered[1], b"".join(body)


@pytest.mark.parametrize("peer", [OTHER, "2001:db8::7", "10.0.1.1", "::ffff:192.0.2.7", "", "unix:"])
def test_another_machine_beside_the_proxy_is_refused_with_the_address_to_use(peer: str):
    watched = Watched()
    status, headers, body = watched.ask(peer)
    assert status.startswith("400 ")
    assert headers["Connection"] == "close"
    assert int(headers["Content-Length"]) == len(body)
    answer = msgspec.json.decode(body)
    assert answer["code"] == "https_only"
    assert "https://checkin.example" in answer["error"]
    assert watched.served == []


@pytest.mark.parametrize("peer", [PROXY, "::ffff:10.0.0.1", "127.0.0.1", "127.0.0.9", "::1"])
def test_the_proxy_and_this_machine_are_served(peer: str):
    watched = Watched()
    assert watched.ask(peer)[0] == "200 OK"
    assert watched.served == [peer]


def test_an_address_that_needs_no_proxy_serves_all():
    watched = Watched(proxies_only=False)
    assert watched.ask(OTHER)[0] == "200 OK"


def test_a_proxy_that_takes_requests_over_http_is_named_once(caplog: pytest.LogCaptureFixture):
    watched = Watched(proxies_only=False)
    with caplog.at_level(logging.WARNING):
        for proto in ("https", "", "http, https"):
            watched.ask(PROXY, proto)
        assert caplog.records == []
        for _ in range(3):
            assert watched.ask(PROXY, "HTTP")[0] == "200 OK"
        watched.ask("10.0.0.2", "https, http")
    assert ["10.0.0.1" in record.message for record in caplog.records] == [True, False]
    assert all("https://checkin.example" in record.message for record in caplog.records)


def test_what_a_stranger_writes_of_its_way_is_not_believed(caplog: pytest.LogCaptureFixture):
    watched = Watched(proxies_only=False)
    with caplog.at_level(logging.WARNING):
        watched.ask(OTHER, "http")
    assert caplog.records == []


def test_a_centre_whose_public_url_is_http_has_no_https_to_keep_to(caplog: pytest.LogCaptureFixture):
    watched = Watched(WebSettings("http://checkin.example", ("10.0.0.0/24",)), proxies_only=False)
    with caplog.at_level(logging.WARNING):
        watched.ask(PROXY, "http")
    assert caplog.records == []


@pytest.mark.parametrize(("scheme", "told"), [("http", None), ("https", "max-age=31536000")])
def test_browsers_are_told_to_stay_with_https_over_https_alone(scheme: str, told: str | None):
    app = Flask("own")
    harden(app)
    app.get("/")(lambda: "")
    answer = app.test_client().get("/", base_url=f"{scheme}://localhost")
    assert answer.headers.get("Strict-Transport-Security") == told
