"""The client's address behind proxies, forged headers among them, and what depends on it."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sync.central.network.forwarded import behind_proxies, read_address
from sync.central.network.web_settings import WebSettings
from tests.sync.central.online import API, PATIENCE_S, Online

PROXY, SECOND, CLIENT, FORGED = "10.0.0.1", "10.0.0.2", "192.0.2.7", "203.0.113.9"
TRUSTED = ("10.0.0.0/24", "fd00::1/128", "127.0.0.1/32")


def seen(peer: str, trusted: tuple[str, ...] = TRUSTED, **headers: str) -> dict[str, Any]:
    """What the application sees of a request that has these headers and comes from a peer."""
    found: dict[str, Any] = {}

    def application(environ: Any, _: Any) -> list[bytes]:
        found.update(environ)
        return []

    given = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    environ = {
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": "1234",
        "HTTP_HOST": "127.0.0.1:8000",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": "http",
    }
    behind_proxies(application, trusted)(environ | given, lambda *_: lambda _: None)
    return found


def client(peer: str, chain: str | None) -> str:
    headers = {} if chain is None else {"x_forwarded_for": chain}
    return str(seen(peer, **headers)["REMOTE_ADDR"])


@pytest.mark.parametrize(
    ("peer", "chain", "address"),
    [
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"{CLIENT}, {SECOND}", CLIENT),  # two proxies
        (PROXY, f"{FORGED}, {CLIENT}", CLIENT),  # the client's own entry stands before the proxy's
        (PROXY, f"{FORGED}, {SECOND}, {CLIENT}", CLIENT),  # it invented a proxy too
        (PROXY, f"{FORGED},{FORGED},,{CLIENT},{SECOND}", CLIENT),
        (PROXY, f"{SECOND}, {PROXY}", SECOND),  # a proxy's own call
        (PROXY, f"{CLIENT}:50123", CLIENT),
        (PROXY, "[2001:db8::7]:50123", "2001:db8::7"),
        (PROXY, "2001:db8::7", "2001:db8::7"),
        ("fd00::1", "2001:DB8:0::7", "2001:db8::7"),
        (PROXY, f"::ffff:{CLIENT}", CLIENT),
        (f"::ffff:{PROXY}", CLIENT, CLIENT),
        (PROXY, "unix:", PROXY),
        (PROXY, f"{FORGED}, unix:", PROXY),
        (PROXY, f"{FORGED}, unknown", PROXY),
        (PROXY, f"{FORGED}, _hidden", PROXY),
        (PROXY, f"{FORGED}, fe80::1%eth0", PROXY),
        (PROXY, f"{FORGED}, <script>", PROXY),
        (PROXY, "", PROXY),
        (PROXY, None, PROXY),
        (CLIENT, FORGED, CLIENT),  # no trusted proxy
        (CLIENT, PROXY, CLIENT),
        ("fd00::2", FORGED, "fd00::2"),
        ("", FORGED, ""),  # a peer over a Unix socket
        (PROXY, ",".join([FORGED] * 500 + [CLIENT] + [SECOND] * 500), CLIENT),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_no_trusted_proxy(peer: str, chain: str | None, address: str):
    assert client(peer, chain) == address


@given(st.lists(st.sampled_from([FORGED, PROXY, SECOND, "unix:", "", "x", "::1"]), max_size=6))
def test_nothing_that_a_client_writes_changes_the_address_that_a_trusted_proxy_saw(forged: list[str]):
    assert client(PROXY, ", ".join([*forged, CLIENT])) == CLIENT


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_none(text: str):
    address = read_address(text)
    assert address is None or ipaddress.ip_address(str(address)) == address


def test_forwarded_of_the_other_kind_is_never_read():
    assert seen(PROXY, x_forwarded_for=CLIENT, forwarded=f"for={FORGED}")["REMOTE_ADDR"] == CLIENT
    assert seen(PROXY, forwarded=f"for={FORGED}")["REMOTE_ADDR"] == PROXY


def test_scheme_and_host_of_a_trusted_proxy_count():
    found = seen(PROXY, x_forwarded_for=CLIENT, x_forwarded_proto="https", x_forwarded_host="checkin.example")
    wanted = {"wsgi.url_scheme": "https", "HTTP_HOST": "checkin.example", "SERVER_PORT": "443"}
    assert {name: found[name] for name in wanted} == wanted
    found = seen(PROXY, x_forwarded_proto="ftp, HTTPS", x_forwarded_host="forged.example, [fd00::5]:8443")
    wanted = {"wsgi.url_scheme": "https", "HTTP_HOST": "[fd00::5]:8443", "SERVER_PORT": "8443"}
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "host", ["a b", "evil.example/path", "a\r\nSet-Cookie: x=y", "user@evil.example", "[", "", "a:x"]
)
def test_a_host_of_another_form_does_not_count(host: str):
    assert seen(PROXY, x_forwarded_host=host)["HTTP_HOST"] == "127.0.0.1:8000"


def test_scheme_and_host_of_others_do_not_count():
    found = seen(CLIENT, x_forwarded_proto="https", x_forwarded_host="evil.example")
    wanted = {"wsgi.url_scheme": "http", "HTTP_HOST": "127.0.0.1:8000", "SERVER_PORT": "8000", "REMOTE_PORT": "1234"}
    assert {name: found[name] for name in wanted} == wanted


def test_a_proxy_that_is_not_trusted_is_warned_of_once(caplog: pytest.LogCaptureFixture):
    application = behind_proxies(lambda *_: [], ())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            application({"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_FOR": CLIENT}, lambda *_: lambda _: None)
    [warning] = caplog.messages
    assert f"a proxy at {PROXY}, which --trusted-proxy does not name" in warning
    assert CLIENT not in warning


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    """A centre that trusts a proxy on this machine, which every test here is."""
    made = Online(tmp_path_factory.mktemp("proxied"), web=WebSettings(trusted_proxies=("127.0.0.1/32",)))
    yield made
    made.close()


def enrol(centre: Online, address: str) -> requests.Response:
    body = {"code": "AAAAA-AAAAA", "site_id": "", "kept": 0}
    return centre.call("POST", f"{API}/kiosks/enroll", json=body, headers={"X-Forwarded-For": f"{FORGED}, {address}"})


def test_wrong_codes_from_one_address_lock_out_that_address_alone(proxied: Online):
    assert [enrol(proxied, CLIENT).status_code for _ in range(6)] == [401] * 5 + [503]
    assert enrol(proxied, "192.0.2.8").status_code == 401


def test_the_many_addresses_of_one_ipv6_machine_are_locked_out_together(proxied: Online):
    tried = [enrol(proxied, f"2001:db8:0:1::{number:x}") for number in range(1, 7)]
    assert [answer.status_code for answer in tried] == [401] * 5 + [503]
    assert enrol(proxied, "2001:db8:0:2::1").status_code == 401


def test_the_audit_has_the_clients_address(proxied: Online):
    who = proxied.newcomer()
    headers = {"X-Forwarded-For": f"{FORGED}, {CLIENT}", "Authorization": f"Bearer {proxied.staff}"}
    url = f"http://{proxied.host}{API}/patient-journey/current-state/"
    assert requests.get(url, params={"patient_id": who}, headers=headers, timeout=PATIENCE_S).ok
    details = [row["detail"] for row in proxied.centre.rows("select detail from audit where kind like 'look:%'")]
    assert any(CLIENT in detail for detail in details), details
    assert not any(FORGED in detail for detail in details)
