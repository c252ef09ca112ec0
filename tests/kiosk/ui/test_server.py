"""The server of the page: its address, its limits, its end."""

from __future__ import annotations

import logging
import socket
import threading
import time

import pytest
import requests
from flask import Flask

from kiosk.config import DisplaySection
from kiosk.ui.app import create_app
from kiosk.ui.server import CannotListen, PageServer
from tests.kiosk.ui.admitted import ADMISSION
from tests.kiosk.ui.conftest import Client
from tests.kiosk.ui.line import Page
from tests.kiosk.ui.staged import HONG, StagedCounter


def await_connections(server: PageServer, count: int) -> None:
    """Waits until so many connections are open: the server's own threads accept and end them."""
    while server.connections != count:
        time.sleep(0.01)


def test_a_taken_port_is_an_error_that_names_it(server: PageServer):
    with pytest.raises(CannotListen, match=f"127.0.0.1:{server.port}: Address already in use"):
        PageServer(Flask("other"), ADMISSION, "127.0.0.1", server.port)


@pytest.mark.parametrize(
    ("host", "port"), [("192.0.2.1", 0), ("no.such.host.invalid", 0), ("127.0.0.1", 70000), ("::2", 0)]
)
def test_an_address_that_is_none_of_this_machine_is_an_error(host: str, port: int):
    with pytest.raises(CannotListen, match=host):
        PageServer(Flask("other"), ADMISSION, host, port)


def test_it_listens_on_the_other_loopback_too(counter: StagedCounter):
    server = PageServer(create_app(counter, DisplaySection(), ADMISSION), ADMISSION, "::1", 0)
    server.start()
    assert server.url == f"http://[::1]:{server.port}/"
    assert requests.get(server.url + "healthz", timeout=30).status_code == 200
    server.stop()


def test_it_is_alive_between_start_and_stop(counter: StagedCounter):
    server = PageServer(create_app(counter, DisplaySection(), ADMISSION), ADMISSION, "127.0.0.1", 0)
    assert not server.alive
    server.start()
    assert server.alive
    server.stop()
    assert not server.alive
    server.stop()


def test_a_port_is_free_again_after_the_stop(counter: StagedCounter):
    first = PageServer(create_app(counter, DisplaySection(), ADMISSION), ADMISSION, "127.0.0.1", 0)
    first.start()
    Page(first).hear()
    first.stop()
    second = PageServer(create_app(counter, DisplaySection(), ADMISSION), ADMISSION, "127.0.0.1", first.port)
    second.start()
    assert requests.get(second.url + "healthz", timeout=30).status_code == 200
    second.stop()


def test_one_that_was_never_started_can_be_stopped(counter: StagedCounter):
    server = PageServer(create_app(counter, DisplaySection(), ADMISSION), ADMISSION, "127.0.0.1", 0)
    server.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), timeout=30)


def test_a_stop_ends_every_connection_those_that_say_nothing_too(server: PageServer):
    pages = [Page(server) for _ in range(3)]
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(3)]
    for page in pages:
        page.hear()
    await_connections(server, 6)
    server.stop()
    assert server.connections == 0
    for line in silent:
        assert line.recv(1) == b""
        line.close()
    for page in pages:
        page.line.thread.join(30)
        assert not page.line.connected


def test_a_stop_lets_an_answer_on_its_way_go_out(server: PageServer, kiosk: Client, counter: StagedCounter):
    shown = counter.tap(HONG)
    counter.gate.clear()
    answers = []
    body = {"action_type": "register", "payload": {"patient_id": HONG.patient_id}, "offer": shown.offer}
    asking = threading.Thread(target=lambda: answers.append(kiosk.post("/api/v1/actions", json=body)))
    asking.start()
    assert counter.at_gate.acquire(timeout=30)
    stopping = threading.Thread(target=server.stop, args=(10.0,))
    stopping.start()
    while server.alive:
        time.sleep(0.01)
    counter.gate.set()
    asking.join(30)
    stopping.join(30)
    assert answers[0].status_code == 200


def test_a_stop_does_not_wait_for_an_answer_that_never_comes(server: PageServer, kiosk: Client, counter: StagedCounter):
    shown = counter.tap(HONG)
    counter.gate.clear()
    body = {"action_type": "register", "payload": {"patient_id": HONG.patient_id}, "offer": shown.offer}
    lost = []

    def ask() -> None:
        try:
            kiosk.post("/api/v1/actions", json=body)
        except requests.ConnectionError as error:
            lost.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert counter.at_gate.acquire(timeout=30)
    server.stop(0.2)
    asking.join(30)
    assert lost
    counter.gate.set()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET http://[ HTTP/1.1", b"400"),
        (b"HELLO", b"400"),
        (b"GET / HTTP/9.9", b"505"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1", b"414"),
        (b"\x16\x03\x01\x02\x00", b"400"),
    ],
    ids=["half an address", "half a line", "another HTTP", "an endless line", "TLS"],
)
def test_what_is_no_request_is_told_so_in_a_line(server: PageServer, request_line: bytes, status: bytes, caplog):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        raw.sendall(request_line + b"\r\nHost: localhost\r\n\r\n")
        answer = b""
        while chunk := raw.recv(4096):
            answer += chunk
    assert status in answer[:13]
    assert b"<" not in answer
    assert caplog.records == []


def test_it_does_not_say_what_it_is_made_of(kiosk: Client):
    assert kiosk.get("/healthz").headers["Server"] == "kiosk"


def test_an_app_that_breaks_is_logged_and_serves_on(caplog: pytest.LogCaptureFixture):
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/break":
            raise RuntimeError("the staged breakage")
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    server = PageServer(app, ADMISSION, "127.0.0.1", 0)
    server.start()
    with caplog.at_level(logging.ERROR):
        assert requests.get(server.url + "break", timeout=30).status_code == 500
        assert requests.get(server.url, timeout=30).status_code == 200
        server.stop()
    assert "the staged breakage" in caplog.text
