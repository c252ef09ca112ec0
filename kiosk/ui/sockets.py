"""The page's WebSocket: the whole screen when it opens and at every change, and the pressed buttons.

Three threads serve a socket: the request's own takes commands, one pushes the newest screen, and simple-websocket's
reads the wire. What they send goes out one message at a time and whole. A page that does not read holds up nobody but
itself: it gets the newest screen once it reads again, and is cut off when it stays deaf.
"""

import base64
import contextlib
import logging
import socket
import threading
from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Response, request
from simple_websocket import ConnectionClosed, Server
from simple_websocket.errors import ConnectionError as HandshakeError
from wsproto.utilities import ProtocolError

from kiosk.front.counter import Counter
from kiosk.front.latest import LatestSlot
from kiosk.front.screen import Screen
from kiosk.ui.messages import (
    MAX_BYTES,
    ActionResult,
    Command,
    FetchInitialState,
    Keep,
    Leave,
    Malformed,
    PageError,
    Ping,
    Pong,
    PressRequest,
    State,
    read_command,
    result_of,
)

log = logging.getLogger(__name__)

PING_S = 25
MOST_WAITING = 32  # commands that a page may have sent before the first was done
JOIN_S = 1.0

_GOING_AWAY = 1001


class PageSockets:
    """Every open socket of the page; no more than `limit`, since each holds threads."""

    def __init__(self, counter: Counter, limit: int) -> None:
        self._counter = counter
        self._places = threading.BoundedSemaphore(limit)

    def serve(self) -> Response:
        """The view behind `/ws`: returns when the socket is over."""
        if not self._places.acquire(blocking=False):
            return _refused(503, "too many sockets are open", "too_many_sockets")
        try:
            return self._shake_hands()
        finally:
            self._places.release()

    def _shake_hands(self) -> Response:
        if not _is_handshake(request.environ):
            return _refused(400, "that is no WebSocket handshake", "bad_handshake")
        environ = dict(request.environ)
        # Compression would cost memory a socket, needs a lock around every send, and saves nothing on loopback.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        wire = environ["werkzeug.socket"] = _WholeSocket(environ["werkzeug.socket"])
        try:
            connection = _Connection(
                environ, ping_interval=PING_S, max_message_size=MAX_BYTES, thread_class=_DaemonThread
            )
        except (HandshakeError, ProtocolError, UnicodeError):
            return _refused(400, "that is no WebSocket handshake", "bad_handshake")
        try:
            Session(connection, self._counter).run()
        finally:
            wire.close()
            connection.thread.join(JOIN_S)
        return _HandedOver()


class Session:
    """One open socket, until either end closes it."""

    def __init__(self, connection: Any, counter: Counter) -> None:
        self._connection = connection
        self._counter = counter
        self._sending = threading.Lock()

    def run(self) -> None:
        """Takes commands while another thread pushes screens."""
        with self._counter.subscribe() as slot:
            pusher = threading.Thread(target=self._push, args=(slot,), name="page-push", daemon=True)
            pusher.start()
            with contextlib.suppress(ConnectionClosed, OSError):
                self._take_commands()
            slot.close()
            pusher.join(JOIN_S)

    def _take_commands(self) -> None:
        while True:
            self._send(self._answer(read_command(self._connection.receive())))

    def _answer(self, command: Command | Malformed) -> object:
        try:
            return answer(self._counter, command)
        except Exception:
            # The edge of a request: the socket stays, the log says where it broke.
            log.exception("a command of the page broke")
            return _broken(command)

    def _push(self, slot: LatestSlot[Screen]) -> None:
        """The newest screen, whenever there is a newer one; the end of the news is the end of the socket."""
        try:
            self._send(State("initial_state", self._counter.screen()))
            while not slot.closed:
                screen = slot.take()
                if screen is not None:
                    self._send(State("state_update", screen))
            self._close(_GOING_AWAY, "the kiosk is stopping")
        except (ConnectionClosed, OSError):
            self._close(_GOING_AWAY, "the page does not read")
        except Exception:
            # The edge of a thread: without screens the socket is of no use, and the page opens another.
            log.exception("a screen could not be pushed")
            self._close(_GOING_AWAY, "the kiosk could not say what it shows")

    def _send(self, message: object) -> None:
        text = msgspec.json.encode(message).decode()
        with self._sending:
            self._connection.send(text)

    def _close(self, reason: int, words: str) -> None:
        with contextlib.suppress(ConnectionClosed, OSError), self._sending:
            self._connection.close(reason, words)
        # `close` wakes nobody who waits in `receive`.
        self._connection.connected = False
        self._connection.event.set()


def answer(counter: Counter, command: Command | Malformed) -> object:
    """Does what a command asks and returns the message that answers it."""
    match command:
        case Malformed():
            return PageError(type="error", error=command.error, code=command.code)
        case PressRequest():
            acted = counter.act(command.action_type, command.payload.patient_id, command.action_id)
            return result_of(acted, command.action_id)
        case FetchInitialState():
            return State("initial_state", counter.screen())
        case Keep():
            return State("state_update", counter.keep())
        case Leave():
            return State("state_update", counter.leave())
        case Ping():
            return Pong()


def _is_handshake(environ: Mapping[str, Any]) -> bool:
    """Whether version and key are what RFC 6455 (4.2.1) asks for; simple-websocket takes any key."""
    try:
        key = base64.b64decode(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""), validate=True)
    except ValueError:
        return False
    return environ.get("HTTP_SEC_WEBSOCKET_VERSION") == "13" and len(key) == 16


def _broken(command: Command | Malformed) -> object:
    words, code = "the kiosk could not do that", "internal"
    if isinstance(command, PressRequest):
        return ActionResult(type="action_result", success=False, action_id=command.action_id, error=words, code=code)
    return PageError(type="error", error=words, code=code)


def _refused(status: int, error: str, code: str) -> Response:
    return Response(msgspec.json.encode(PageError(error=error, code=code)), status, mimetype="application/json")


class _Connection(Server):  # type: ignore[misc] # simple-websocket has no types
    """A server's end of a WebSocket that takes in no more than it can work off."""

    def handshake(self) -> None:
        self.input_buffer = _Waiting()
        super().handshake()

    def _handle_events(self) -> bool:
        # simple-websocket wakes whoever waits in `receive` before it says that the connection is over, and so wakes
        # them in vain when a message was too big.
        going_on: bool = super()._handle_events()
        if not going_on:
            self.connected = False
            self.event.set()
        return going_on


class _Waiting(list[str | bytes]):
    """The commands not yet done. A page that floods the kiosk is cut off, by an error that ends the reading thread."""

    def append(self, message: str | bytes) -> None:
        if len(self) >= MOST_WAITING:
            raise ConnectionAbortedError("too many commands")
        super().append(message)


class _WholeSocket:
    """A socket whose `send` sends everything, one caller at a time: simple-websocket answers pings from its own thread
    and looks at no return value."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._sending = threading.Lock()

    def send(self, data: bytes) -> int:
        with self._sending:
            self._wire.sendall(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        return self._wire.recv(size)

    def fileno(self) -> int:
        return self._wire.fileno()

    def close(self) -> None:
        """Ends the connection for every thread that waits on it, and for the other end; a mere close of this socket
        would do neither while the server's own files on it are open."""
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
        self._wire.close()


class _DaemonThread(threading.Thread):
    """A thread that never keeps a stopping daemon alive."""

    def __init__(self, **options: Any) -> None:
        super().__init__(daemon=True, **options)


class _HandedOver(Response):
    """No answer: the connection spoke WebSocket, and an HTTP answer behind its last frame would be garbage to the
    page. This is why flask-sock, which sends one, is not used here."""

    def __call__(self, *_: Any) -> Any:
        raise ConnectionAbortedError("the connection was a WebSocket")
