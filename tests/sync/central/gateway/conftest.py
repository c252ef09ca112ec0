"""A gateway before an application that tells what it got, and can wait for news or open WebSockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from flask import Flask, Response, jsonify, request

from sync.central.gateway.gateway import SHARES, Shares
from sync.central.web.later import LATER, Deliver
from sync.central.web.socket_offer import offer_of
from tests.sync.central.gateway.in_thread import GatewayInThread, WorkerInThread
from tests.sync.central.online import PATIENCE_S


class Echo:
    """What one socket says: each message comes back, and a flood of them leaves when `wake` is called."""

    def __init__(self, stage: Stage, held) -> None:
        self._stage = stage
        self._held = held

    def opened(self) -> None:
        self._stage.sockets.append(self._held)
        self._held.send("hello")

    def received(self, text: bytes) -> None:
        self._stage.received += 1
        self._stage.hold.wait()
        self._held.send(text.decode())

    def woken(self) -> None:
        for number in range(1000):
            self._held.send(f"{number:06d}" * 1000, "state")

    def ended(self) -> None:
        self._stage.ended.release()


class Stage:
    """An application behind a gateway. `hold` lets its answers go."""

    def __init__(self, shares: Shares = SHARES, proxies: tuple[str, ...] = ()) -> None:
        self.hold = threading.Event()
        self.hold.set()
        self.parked: list[Deliver] = []
        self.gone = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        self.sockets: list[object] = []
        self.received = 0
        self.begun = threading.Semaphore(0)
        self.opening = threading.Event()
        self.app = self._app()
        self.gateway = GatewayInThread([WorkerInThread(self.app)], shares, proxies)
        self.address = ("127.0.0.1", self.gateway.port)
        self._open = ExitStack()

    def _app(self) -> Flask:
        app = Flask(__name__)

        @app.route("/echo", methods=["GET", "POST", "PUT"])
        def echo() -> Response:
            return jsonify(
                method=request.method,
                body=request.get_data().decode("latin-1"),
                query=request.query_string.decode(),
                headers=dict(request.headers),
                address=request.remote_addr,
            )

        @app.get("/held")
        def held() -> Response:
            self.begun.release()
            self.hold.wait()
            return Response("done")

        @app.get("/later")
        def later() -> Response:
            offered = request.environ[LATER]
            self.parked.append(offered.take())
            offered.on_gone(self.gone.release)
            self.begun.release()
            return Response("dropped")

        @app.route("/slow-socket", websocket=True)
        def open_slowly() -> Response:
            self.begun.release()
            self.opening.wait()
            return open_socket()

        @app.route("/socket", websocket=True)
        def open_socket() -> Response:
            offer = offer_of(request.environ)
            if offer is None or request.args.get("refused"):
                return Response("no", 403)
            offer.accept(Echo(self, offer.socket), None)
            return Response("dropped")

        return app

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection from an address of this machine."""
        return self._open.enter_context(socket.create_connection(self.address, PATIENCE_S, (source, 0)))

    def connect_answered(self) -> socket.socket:
        """A connection whose first request was answered. Where a slow machine misses a short time, it is made again."""
        while True:
            connection = self.connect()
            with suppress(ConnectionError):
                assert ask(connection)[0] == 200
                return connection

    def close(self) -> None:
        self.hold.set()
        self.opening.set()
        self._open.close()
        self.gateway.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next response. Raises ConnectionError where the connection ends instead."""
    stream = connection.makefile("rb")
    first = stream.readline()
    if not first:
        raise ConnectionResetError("the connection has ended")
    status = int(first.split()[1])
    length = 0
    while (line := stream.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return status, stream.read(length)


def ask(connection: socket.socket, path: str = "/echo", more: str = "") -> tuple[int, bytes]:
    """A plain request on a connection that stays open, and its answer."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())
    return read_answer(connection)


def is_ended(connection: socket.socket) -> bool:
    """Whether the other end closes the connection, or has closed it."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True
