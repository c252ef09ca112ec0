"""A WebSocket route, with real clients on a real server: places, handshakes, floods and ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response
from simple_websocket import Client, ConnectionClosed
from simple_websocket.errors import ConnectionError as Refusal
from werkzeug.serving import WSGIRequestHandler, make_server

from sync.websocket.adapter import INTERNAL_ERROR, Refused, add_socket, is_handshake
from sync.websocket.connection import MAX_WAITING, BoundedMessages, Wakeable
from sync.websocket.limits import SocketLimits

PATIENCE_S = 30
STATUS = {Refused.FULL: 503, Refused.NO_HANDSHAKE: 400}


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Logs nothing: a fault shows in the test."""


class Served:
    """One route on a real port. Its sockets echo, until they are asked to break."""

    def __init__(self, limit: int) -> None:
        self.limits = SocketLimits(limit)
        app = Flask(__name__)
        add_socket(app, "/ws", self.echo, self.limits, lambda why: Response(status=STATUS[why]))
        self.server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def echo(self, websocket: Any) -> None:
        while not self.limits.stopping:
            message = websocket.receive(timeout=PATIENCE_S)
            if message == "break":
                raise ValueError("asked to break")
            if message is not None:
                websocket.send(message)

    def connect(self) -> Client:
        return Client.connect(f"ws://127.0.0.1:{self.server.server_port}/ws")

    def close(self) -> None:
        self.limits.stop()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    served = Served(getattr(request, "param", 8))
    yield served
    served.close()


def test_a_message_comes_back(served: Served):
    client = served.connect()
    client.send("hello")
    assert client.receive(PATIENCE_S) == "hello"
    client.close()


@pytest.mark.parametrize("served", [3], indirect=True)
def test_of_many_who_come_at_once_as_many_get_in_as_there_are_places(served: Served):
    opened: list[Client] = []
    refused: list[str] = []
    together = threading.Barrier(12)

    def come() -> None:
        together.wait()
        try:
            opened.append(served.connect())
        except Refusal as refusal:
            refused.append(str(refusal))

    threads = [threading.Thread(target=come) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert (len(opened), len(refused), served.limits.open_count) == (3, 9, 3)
    assert all("503" in words for words in refused)
    for client in opened:
        client.close()


def test_a_socket_that_breaks_says_so_and_gives_its_place_back(served: Served, caplog: pytest.LogCaptureFixture):
    client = served.connect()
    client.send("break")
    with pytest.raises(ConnectionClosed) as closed:
        client.receive(PATIENCE_S)
    assert closed.value.reason == INTERNAL_ERROR
    assert "asked to break" in caplog.text
    client.thread.join(PATIENCE_S)
    other = served.connect()
    other.send("still here")
    assert other.receive(PATIENCE_S) == "still here"
    other.close()


def test_a_stop_ends_a_socket_whose_peer_says_nothing(served: Served):
    client = served.connect()
    served.limits.stop()
    with pytest.raises(ConnectionClosed):
        client.receive(PATIENCE_S)


def test_a_plain_request_to_the_route_is_refused(served: Served):
    with socket.create_connection(("127.0.0.1", served.server.server_port), PATIENCE_S) as raw:
        raw.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert b" 400 " in raw.recv(4096).splitlines()[0]
    assert served.limits.open_count == 0


@pytest.mark.parametrize(
    ("version", "key", "opens"),
    [
        ("13", "dGhlIHNhbXBsZSBub25jZQ==", True),  # the key of RFC 6455, 1.3
        ("8", "dGhlIHNhbXBsZSBub25jZQ==", False),
        ("13", "c2V2ZW50ZWVu", False),
        ("13", "not base 64", False),
    ],
)
def test_a_handshake_has_version_13_and_a_key_of_16_bytes(version: str, key: str, opens: bool):
    environ = {"HTTP_SEC_WEBSOCKET_VERSION": version, "HTTP_SEC_WEBSOCKET_KEY": key}
    assert is_handshake(environ) is opens


def fill(waiting: BoundedMessages, one_more: Callable[[], None]) -> threading.Thread:
    """Fills the list, and adds one more in a thread that waits for room."""
    for number in range(MAX_WAITING):
        waiting.append(str(number))
    thread = threading.Thread(target=one_more)
    thread.start()
    return thread


def test_a_message_beyond_the_limit_waits_for_room():
    waiting = BoundedMessages()
    thread = fill(waiting, lambda: waiting.append("one more"))
    assert len(waiting) == MAX_WAITING
    assert waiting.pop(0) == "0"
    thread.join(PATIENCE_S)
    assert (len(waiting), waiting[-1]) == (MAX_WAITING, "one more")


def test_the_end_of_a_socket_wakes_a_message_that_waits_for_room():
    waiting = BoundedMessages()
    ended = threading.Event()

    def one_more() -> None:
        with pytest.raises(ConnectionAbortedError):
            waiting.append("one more")
        ended.set()

    fill(waiting, one_more)
    waiting.end()
    assert ended.wait(PATIENCE_S)
    assert len(waiting) == MAX_WAITING


def test_a_burst_larger_than_may_wait_comes_back_whole_and_in_turn(served: Served):
    client = served.connect()
    sent = [str(number) for number in range(10 * MAX_WAITING)]
    for message in sent:
        client.send(message)
    assert [client.receive(PATIENCE_S) for _ in sent] == sent
    client.close()


def test_a_socket_that_breaks_in_a_flood_is_closed(served: Served):
    client = served.connect()
    with pytest.raises((ConnectionClosed, OSError)):  # noqa: PT012
        client.send("break")
        while True:
            client.send("more")
    wait_until_empty(served)


def wait_until_empty(served: Served) -> None:
    end = threading.Event()
    for _ in range(PATIENCE_S * 100):
        if served.limits.open_count == 0:
            return
        end.wait(0.01)
    pytest.fail("the place of the socket was not given back")


def test_a_nudge_wakes_without_the_event_and_the_event_wakes_for_good():
    event = Wakeable()
    event.nudge()
    assert event.wait(PATIENCE_S) is False
    event.set()
    assert event.wait(PATIENCE_S) is True
    assert event.wait(PATIENCE_S) is True
