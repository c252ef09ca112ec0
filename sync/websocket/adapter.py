"""A WebSocket route of a Flask app on threads, by flask-sock."""

import base64
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from flask_sock import Sock
from simple_websocket import ConnectionClosed
from simple_websocket.errors import ConnectionError as HandshakeError
from wsproto.utilities import ProtocolError

from sync.logs import INTERNAL
from sync.websocket.connection import ReadingThread, Wakeable, WholeFrames, end_connection
from sync.websocket.limits import SocketLimits

log = logging.getLogger(__name__)

GOING_AWAY, INTERNAL_ERROR, TRY_AGAIN_LATER = 1001, 1011, 1013  # RFC 6455, 7.4.1, and its registry at IANA
PING_INTERVAL_S = 25
MAX_MESSAGE = 16 * 1024  # bytes
_CONNECTION_KEY = "werkzeug.socket"
_EXTENSIONS = "HTTP_SEC_WEBSOCKET_EXTENSIONS"


class Refused(StrEnum):
    """Why a socket does not open."""

    NO_HANDSHAKE = "no_handshake"
    FULL = "full"


def add_socket(
    app: Flask,
    path: str,
    serve: Callable[[Any], None],
    limits: SocketLimits,
    refuse: Callable[[Refused], Response],
    *,
    admit: Callable[[], Response | None] = lambda: None,
    subprotocols: tuple[str, ...] = (),
    max_message: int = MAX_MESSAGE,
) -> None:
    """Adds a route whose sockets `serve` serves, each in its request's own thread, until it returns.

    `admit` looks at the handshake and returns a refusal or None. `refuse` words the refusals of this module. The place
    of a socket is taken before the handshake. An app has one such route.
    """
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_INTERVAL_S,
        "max_message_size": max_message,
        "subprotocols": list(subprotocols),
        "event_class": Wakeable,
        "thread_class": ReadingThread,
    }
    blueprint = Blueprint("websocket", __name__)
    _guard(blueprint, limits, refuse, admit)

    @Sock().route(path, bp=blueprint)  # type: ignore[untyped-decorator]
    def socket(websocket: Any) -> None:
        _hold(websocket, serve, limits)

    app.register_blueprint(blueprint)


def _guard(
    blueprint: Blueprint,
    limits: SocketLimits,
    refuse: Callable[[Refused], Response],
    admit: Callable[[], Response | None],
) -> None:
    """Refuses requests that open no socket, and counts those that do."""

    @blueprint.before_request
    def before_handshake() -> Response | None:
        if not is_handshake(request.environ):
            return refuse(Refused.NO_HANDSHAKE)
        if (refusal := admit()) is not None:
            return refusal
        if not limits.enter():
            return refuse(Refused.FULL)
        g.socket_place = True
        _prepare(request.environ)
        return None

    @blueprint.teardown_request
    def after_socket(_: BaseException | None) -> None:
        if g.pop("socket_place", False):
            limits.leave()

    for error in (HandshakeError, ProtocolError, UnicodeError):
        blueprint.register_error_handler(error, lambda _: refuse(Refused.NO_HANDSHAKE))


def _hold(websocket: Any, serve: Callable[[Any], None], limits: SocketLimits) -> None:
    try:
        with limits.serving(websocket.event):
            serve(websocket)
    except (ConnectionClosed, OSError):
        log.debug("a socket's peer left")
    except Exception:
        # The peer gets a close reason, and the log gets the traceback.
        log.exception("a socket failed")
        with suppress(ConnectionClosed, OSError):
            websocket.close(INTERNAL_ERROR, INTERNAL)
    finally:
        # flask-sock answers the request even so. On a closed connection that answer reaches nobody.
        end_connection(websocket)


def is_handshake(environ: Mapping[str, Any]) -> bool:
    """Whether version and key are those of RFC 6455, 4.2.1; simple-websocket takes any key."""
    try:
        key = base64.b64decode(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""), validate=True)
    except ValueError:
        return False
    return environ.get("HTTP_SEC_WEBSOCKET_VERSION") == "13" and len(key) == 16


def _prepare(environ: dict[str, Any]) -> None:
    # Compression costs memory for each socket and needs a lock of its own around every send.
    environ.pop(_EXTENSIONS, None)
    if _CONNECTION_KEY in environ:
        environ[_CONNECTION_KEY] = WholeFrames(environ[_CONNECTION_KEY])
