"""The WebSockets' door: who may open one, how many there may be, and how all of them end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Flask, Response, request
from wsproto.utilities import RemoteProtocolError

from sync.central.services.errors import ApiError
from sync.central.web.http import fault
from sync.central.web.socket_frames import ReadingThread, Wakeable, WholeFrames

PING_INTERVAL_S = 25
MAX_MESSAGE = 16 * 1024
_CONNECTION_KEYS = ("gunicorn.socket", "werkzeug.socket")


class SocketLimits:
    """The open sockets. Each holds a thread for its life, so there are only so many, and plain requests find theirs."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open: set[Wakeable] = set()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether every socket is to end now."""
        return self._stopping

    @property
    def open_count(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def full(self) -> bool:
        """Whether another socket would be one too many."""
        return self.open_count >= self._limit

    @contextmanager
    def place(self, wake: Wakeable) -> Iterator[None]:
        """Counts a socket in while the context is open."""
        with self._lock:
            self._open.add(wake)
            if self._stopping:
                wake.nudge()
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(wake)

    def stop(self) -> None:
        """Wakes every socket's thread, so that it sees that the service stops."""
        with self._lock:
            self._stopping = True
            for wake in self._open:
                wake.nudge()


def guard_sockets(app: Flask, blueprint: Blueprint, sockets: SocketLimits) -> None:
    """Lets only those open a blueprint's sockets who may, and prepares their connections."""
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_INTERVAL_S,
        "max_message_size": MAX_MESSAGE,
        "subprotocols": ["bearer"],
        "event_class": Wakeable,
        "thread_class": ReadingThread,
    }

    def before_handshake() -> Response | None:
        _prepare(request.environ)
        return _refuse(sockets)

    blueprint.before_request(before_handshake)
    no_handshake = ApiError("malformed", "This is no WebSocket handshake.")
    app.register_error_handler(RemoteProtocolError, lambda _: fault(no_handshake))


def _refuse(sockets: SocketLimits) -> Response | None:
    """A page of another site is refused before the handshake (RFC 6455, 10.2), and so is a socket too many."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] not in _own_names():
        return fault(ApiError("foreign_origin", "A page of another site may not open this socket."))
    if sockets.full:
        return fault(ApiError("busy", "Too many sockets are open; use plain requests meanwhile."))
    return None


def _own_names() -> tuple[str, str]:
    """This site as an origin names it: as the client does, or with the port that clients may leave out of `Host`."""
    name = request.host.rpartition(":")[0] or request.host
    return request.host, f"{name}:{request.environ['SERVER_PORT']}"


def _prepare(environ: dict[str, Any]) -> None:
    for key in _CONNECTION_KEYS:
        if key in environ:
            environ[key] = WholeFrames(environ[key])
