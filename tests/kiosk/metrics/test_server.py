"""Who may read a kiosk's metrics, on a real port."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from prometheus_client import CollectorRegistry

from kiosk.addresses import ConfigError
from kiosk.config import MetricsSection, check_config
from kiosk.metrics.server import MetricsServer
from sync.metrics import LabelledCounter

TOKEN = "0123456789abcdef0123"
PATIENCE_S = 30


def serving(section: MetricsSection) -> MetricsServer:
    registry = CollectorRegistry()
    LabelledCounter(registry, "taps", "Taps.")
    made = MetricsServer(registry, section)
    made.start()
    return made


@pytest.fixture
def bare() -> Iterator[MetricsServer]:
    made = serving(MetricsSection(listen="127.0.0.1:0"))
    yield made
    made.stop()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[MetricsServer]:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", "ascii")
    made = serving(MetricsSection(listen="0.0.0.0:0", token_file=str(file)))
    yield made
    made.stop()


def ask(server: MetricsServer, path: str = "/metrics", **headers: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{server.port}{path}", headers=headers, timeout=PATIENCE_S)


def test_a_program_on_this_machine_reads_them(bare: MetricsServer):
    answer = ask(bare)
    assert (answer.status_code, "taps_total 0.0" in answer.text) == (200, True)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "192.0.2.1"}, {"Via": "1.1 x"}, {"Host": "kiosk.example"}])
def test_without_a_token_nobody_else_does(bare: MetricsServer, headers: dict[str, str]):
    answer = ask(bare, **headers)
    assert (answer.status_code, "taps" in answer.text) == (403, False)


@pytest.mark.parametrize("given", ["", "Bearer", f"Bearer {TOKEN}0", f"Bearer {TOKEN[:-1]}", TOKEN, "Bearer ä"])
def test_where_a_token_is_set_it_is_needed(guarded: MetricsServer, given: str):
    headers = {"Authorization": given.encode("latin-1")} if given else {}
    assert ask(guarded, **headers).status_code == 403


def test_the_token_opens_them(guarded: MetricsServer):
    assert ask(guarded, Authorization=f"Bearer {TOKEN}", Host="kiosk.example:9101").status_code == 200
    forwarded = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "192.0.2.1"}
    assert ask(guarded, **forwarded).status_code == 403


def test_there_is_nothing_else(bare: MetricsServer):
    assert ask(bare, "/").status_code == 404
    posted = requests.post(f"http://127.0.0.1:{bare.port}/metrics", timeout=PATIENCE_S)
    assert posted.status_code == 501


def test_a_client_that_says_nothing_holds_up_no_scrape_for_good(bare: MetricsServer):
    with socket.create_connection(("127.0.0.1", bare.port)):
        assert ask(bare).status_code == 200


def test_a_client_that_goes_on_byte_by_byte_holds_up_no_stop():
    server = serving(MetricsSection(listen="127.0.0.1:0"))
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        until_s = time.monotonic() + PATIENCE_S
        while stopping.is_alive() and time.monotonic() < until_s:
            with suppress(OSError):
                client.sendall(b"x")
            stopping.join(0.5)
        assert not stopping.is_alive()


@pytest.mark.parametrize("text", ["short", "", "ä" * 30])
def test_a_token_that_is_none_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "token"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="token_file"):
        MetricsServer(CollectorRegistry(), MetricsSection(listen="127.0.0.1:0", token_file=str(file)))
    with pytest.raises(ConfigError, match="token_file"):
        MetricsServer(CollectorRegistry(), MetricsSection(listen="127.0.0.1:0", token_file=str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ({"listen": "0.0.0.0:9101"}, "token_file: it is needed"),
        ({"listen": "kiosk:9101"}, "token_file: it is needed"),
        ({"listen": "9101"}, r"listen: expected HOST:PORT"),
        ({"token_file": "a\0b"}, "token_file: not the path"),
    ],
)
def test_a_wrong_section_is_named(section: dict[str, str], fault: str):
    with pytest.raises(ConfigError, match=fault):
        check_config({"metrics": section}, "config.toml")


def test_without_an_address_nothing_listens():
    assert check_config({}, "config.toml").metrics.listen == ""
