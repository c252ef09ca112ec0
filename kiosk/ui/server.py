"""Serves the page: Werkzeug's threaded server in the daemon's own process, with a limit to its connections and an end
to every wait. URLs are not logged."""

import contextlib
import logging
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

log = logging.getLogger(__name__)

SILENCE_S = 15.0  # how long a connection may leave the server waiting for a byte, to come or to go
POLL_S = 0.05  # how soon the listening thread notices that it should stop


class CannotListen(OSError):
    """The address is taken or is none of this machine; the message names it."""


class PageServer:
    """The server of one app. It is bound when made, and serves between `start()` and `stop()`."""

    def __init__(self, app: Flask, host: str, port: int, max_connections: int = 32) -> None:
        """Takes the address; port 0 means any that is free. Raises CannotListen."""
        with _listen(host, port) as listening:
            self._server = _Server(app, host, listening, max_connections)
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
        return self._server.connections.count

    def start(self) -> None:
        """Begins to serve, in a thread of its own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="page-server", daemon=True
        )
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Takes no more connections, lets answers on their way go out, and cuts off what is still open at the end of
        the time. May be called twice."""
        deadline = time.monotonic() + timeout_s
        if self._thread:
            self._server.shutdown()
            self._thread.join(timeout_s)
            self._thread = None
        self._server.server_close()
        connections = self._server.connections
        # The peer learns that nothing more comes, and an answer can still go out.
        connections.cut(socket.SHUT_RD)
        if not connections.await_end(max(0.0, deadline - time.monotonic()) / 2):
            connections.cut(socket.SHUT_RDWR)
            connections.await_end(max(0.0, deadline - time.monotonic()))


class _Connections:
    """The open connections, no more than `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()

    @property
    def count(self) -> int:
        return len(self._open)

    def admit(self, connection: socket.socket) -> bool:
        with self._changed:
            if len(self._open) >= self._limit:
                return False
            self._open.add(connection)
            return True

    def ended(self, connection: socket.socket) -> None:
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def cut(self, direction: int) -> None:
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(direction)

    def await_end(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout_s)


class _Handler(WSGIRequestHandler):
    """Reads one request of a connection. What it cannot read is told in a line of plain text."""

    protocol_version = "HTTP/1.1"
    timeout = SILENCE_S
    error_content_type = "text/plain"
    error_message_format = "%(code)d %(message)s\n"

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
        """Nothing: the path and the query of a request are nobody's business."""

    def log(self, *_: Any) -> None:
        """Nothing either: the sender of a request that cannot be read gets an answer."""


class _Server(ThreadedWSGIServer):
    """Werkzeug's server on a socket of ours: with its own it would end the process when a port is taken."""

    def __init__(self, app: Flask, host: str, listening: socket.socket, max_connections: int) -> None:
        super().__init__(host, listening.getsockname()[1], app, _Handler, fd=listening.fileno())
        self.connections = _Connections(max_connections)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.connections.admit(request):
            super().process_request(request, client_address)
            return
        with contextlib.suppress(OSError):
            request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.ended(request)

    def handle_error(self, *_: Any) -> None:
        # The edge of a connection: the peer is gone, and the log says where it broke.
        log.exception("a connection broke")

    def log(self, _type: str, message: str, *args: Any) -> None:
        log.error("%s", message % args if args else message)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=64)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CannotListen(f"the page cannot be served on {host}:{port}: {reason}") from error
