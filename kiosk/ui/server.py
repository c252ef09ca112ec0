"""Serves the page: Werkzeug's threaded server in the daemon's process, with limits for connections and waits.

URLs are not logged.
"""

import contextlib
import io
import logging
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from kiosk.ui.admission import Admission
from kiosk.ui.entrance import is_shown
from kiosk.ui.places import Places
from kiosk.ui.request_stream import RequestStream
from kiosk.ui.waiting_room import Arrival, WaitingRoom

log = logging.getLogger(__name__)

SILENCE_S = 15.0  # how long the server waits for a byte of a connection, in either direction


class CannotListen(OSError):
    """The address is in use or not of this machine; the message names it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections there may be, and how long a whole request may take from the connection's beginning.

    `waiting` have asked nothing yet, and each of them keeps its place for `moment_s`: a browser asks as soon as it is
    connected. `own` are of the kiosk's browser, `strangers` of other processes.
    """

    waiting: int = 128
    own: int = 32
    strangers: int = 8
    request_s: float = 5.0
    moment_s: float = 0.1


LIMITS = Limits()


class PageServer:
    """The server of one app. It is bound when made, and serves between `start()` and `stop()`."""

    def __init__(self, app: Flask, admission: Admission, host: str, port: int, limits: Limits = LIMITS) -> None:
        """Takes the address; port 0 means any that is free. `admission` tells the kiosk's own browser from others.

        Raises CannotListen.
        """
        with _listen(host, port) as listening:
            self._server = _Server(app, admission, host, listening, limits)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """The address of the page."""
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        return f"http://{host}:{self.port}/"

    @property
    def alive(self) -> bool:
        """Whether it takes connections."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._server.room.count + self._server.places.count

    def start(self) -> None:
        """Begins to serve, in a thread of its own."""
        self._thread = threading.Thread(target=self._server.room.run, name="page-server", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Accepts no more connections, completes answers under way, and cuts connections still open after `timeout_s`.

        May be called twice.
        """
        deadline = time.monotonic() + timeout_s
        if self._thread:
            self._server.room.stop()
            self._thread.join(timeout_s)
            self._thread = None
        self._server.server_close()
        places = self._server.places
        # The peer gets the end of the stream, and an answer can still go out.
        places.cut(socket.SHUT_RD)
        if not places.await_end(max(0.0, deadline - time.monotonic()) / 2):
            places.cut(socket.SHUT_RDWR)
            places.await_end(max(0.0, deadline - time.monotonic()))


class _Handler(WSGIRequestHandler):
    """Reads one request of a connection. An unreadable request gets a line of plain text."""

    protocol_version = "HTTP/1.1"
    timeout = SILENCE_S
    server: "_Server"
    error_content_type = "text/plain"
    error_message_format = "%(code)d %(message)s\n"

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(RequestStream(self.connection, self.server.deadline_of(self.connection)))

    def run_wsgi(self) -> None:
        try:
            urlsplit(self.path)
        except ValueError:
            self.send_error(400, "Bad request target")
            return
        super().run_wsgi()

    def version_string(self) -> str:
        return "kiosk"

    def log_request(self, *_: Any) -> None:
        """Logs nothing: the path and the query of a request are private."""

    def log(self, *_: Any) -> None:
        """Logs nothing: the sender of an unreadable request gets an answer."""


class _Server(ThreadedWSGIServer):
    """Werkzeug's server on a given socket. On a socket of its own, it would end the process when a port is in use."""

    def __init__(self, app: Flask, admission: Admission, host: str, listening: socket.socket, limits: Limits) -> None:
        super().__init__(host, listening.getsockname()[1], app, _Handler, fd=listening.fileno())
        self._admission = admission
        self._deadlines: dict[socket.socket, float] = {}
        self.room = WaitingRoom(self.socket, limits.waiting, limits.request_s, limits.moment_s, self._admit)
        self.places = Places(limits.own, limits.strangers)

    def deadline_of(self, connection: socket.socket) -> float:
        """When the request of a connection has to be whole (monotonic, seconds)."""
        return self._deadlines[connection]

    def _admit(self, arrival: Arrival) -> None:
        connection = arrival.connection
        if self.places.enter(connection, is_own=is_shown(arrival.head, self.port, self._admission)):
            self._deadlines[connection] = arrival.deadline
            self._serve(connection, arrival.address)
            return
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.shutdown_request(connection)

    def _serve(self, connection: socket.socket, address: Any) -> None:
        try:
            self.process_request(connection, address)
        except RuntimeError:  # the machine has no thread left
            self.handle_error()
            self._end(connection)
            self.shutdown_request(connection)

    def _end(self, connection: socket.socket) -> None:
        del self._deadlines[connection]
        self.places.leave(connection)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._end(request)

    def handle_error(self, *_: Any) -> None:
        # The edge of a connection: the peer is gone, and the log has the place of the failure.
        log.exception("a connection failed")

    def log(self, _type: str, message: str, *args: Any) -> None:
        log.error("%s", message % args if args else message)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CannotListen(f"the page cannot be served on {host}:{port}: {reason}") from error
