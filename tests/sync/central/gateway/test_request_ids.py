"""Every answer bears the id of its request, and so does every line of the log about it."""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import flask
import pytest

from sync.central.gateway.gateway import Shares
from sync.central.web.later import LateResponse
from sync.logs import RequestFilter
from tests.sync.central.gateway.conftest import Stage
from tests.sync.central.online import API, Online

NEW = re.compile(r"[0-9a-f]{16}")


def read(connection: socket.socket) -> HTTPResponse:
    """The next response, read whole."""
    response = HTTPResponse(connection)
    response.begin()
    response.read()
    return response


def ask(connection: socket.socket, more: str = "", path: str = "/echo") -> HTTPResponse:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())
    return read(connection)


def test_a_request_keeps_the_id_that_its_client_gave_it(stage: Stage):
    response = ask(stage.connect(), "X-Request-ID: app-7.B_2\r\n")
    assert response.getheader("X-Request-ID") == "app-7.B_2"


@pytest.mark.parametrize("given", ["", "a b", "é", "x" * 65, "(x)", "a/b"])
def test_an_id_that_is_no_short_token_gives_way_to_a_new_one(stage: Stage, given: str):
    first, second = (ask(stage.connect(), f"X-Request-ID: {given}\r\n").getheader("X-Request-ID") for _ in range(2))
    assert NEW.fullmatch(str(first))
    assert NEW.fullmatch(str(second))
    assert first != second


def test_the_application_gets_one_id_and_not_the_one_that_gave_way(stage: Stage):
    got = []
    stage.app.before_request(lambda: got.append(flask.request.headers.getlist("X-Request-ID")))
    named = ask(stage.connect(), "X-Request-ID: (x)\r\nX-REQUEST-ID: y\r\n").getheader("X-Request-ID")
    assert got == [[named]]


def test_requests_of_one_connection_have_ids_of_their_own(stage: Stage):
    connection = stage.connect()
    ids = [ask(connection).getheader("X-Request-ID") for _ in range(3)]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET /" + b"x" * 20_000])
def test_what_is_no_request_is_answered_with_an_id_of_its_own(stage: Stage, sent: bytes):
    connection = stage.connect()
    before = ask(connection, "X-Request-ID: mine\r\n")
    assert before.getheader("X-Request-ID") == "mine"
    connection.sendall(sent)
    assert NEW.fullmatch(str(read(connection).getheader("X-Request-ID")))


def test_a_refusal_by_the_gateway_bears_the_id():
    stage = Stage(Shares(body_bytes=1))
    try:
        connection = stage.connect()
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nContent-Length: 9\r\n\r\n")
        response = read(connection)
        assert (response.status, response.getheader("X-Request-ID")) == (503, "mine")
        assert response.getheader("Retry-After") == "1"
    finally:
        stage.close()


def test_a_connection_that_is_refused_gets_an_id_too():
    stage = Stage(Shares(connections=20, of_an_address=1))
    try:
        held = stage.connect()
        assert ask(held).status == 200
        response = read(stage.connect())
        assert (response.status, response.getheader("Retry-After")) == (503, "1")
        assert NEW.fullmatch(str(response.getheader("X-Request-ID")))
    finally:
        stage.close()


def test_an_answer_that_leaves_later_bears_the_id(stage: Stage):
    connection = stage.connect()
    connection.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\n\r\n")
    assert stage.begun.acquire(timeout=30)
    stage.parked[0](LateResponse(200, [], b"news"))
    assert read(connection).getheader("X-Request-ID") == "mine"


def test_the_answer_to_a_handshake_bears_the_id(stage: Stage):
    more = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    more += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Request-ID: mine\r\n"
    response = ask(stage.connect(), more, "/socket")
    assert (response.status, response.getheader("X-Request-ID")) == (101, "mine")


# The log.


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The log, with the ids as the programs write them."""
    naming = RequestFilter()
    caplog.handler.addFilter(naming)
    yield caplog
    caplog.handler.removeFilter(naming)


def named(logged: pytest.LogCaptureFixture, beginning: str) -> list[str]:
    """The ids beside the lines of the log that begin so."""
    return [record.request for record in logged.records if record.getMessage().startswith(beginning)]


def test_the_lines_of_the_log_about_a_request_bear_its_id(logged: pytest.LogCaptureFixture, tmp_path: Path):
    broken = Online(tmp_path)
    try:
        token = broken.own_token(broken.newcomer())
        with broken.centre.store.write() as db:
            db.execute("update site set languages = '{'")
        answer = broken.call(
            "GET", f"{API}/patient-journey/current-state/", token, headers={"X-Request-ID": "broken-one"}
        )
        assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "broken-one")
        assert named(logged, "a request failed") == [" (request broken-one)"]
        with broken.socket(token, headers={"X-Request-ID": "the-socket"}) as opened:
            assert opened.closed() == 1011
        assert named(logged, "a socket failed") == [" (request the-socket)"]
    finally:
        broken.close()


def test_a_program_writes_the_id_at_the_end_of_the_line():
    lines = (
        "log_to_stderr()\nwith Serving('mine'):\n    getLogger('sync').warning('slow')\ngetLogger('sync').info('done')"
    )
    program = f"from logging import getLogger\nfrom sync.logs import Serving, log_to_stderr\n{lines}"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines() == ["WARNING sync: slow (request mine)", "INFO sync: done"]


def test_a_line_outside_of_a_request_bears_no_id(logged: pytest.LogCaptureFixture):
    logging.getLogger("sync").error("by itself")
    assert named(logged, "by itself") == [""]
