"""One connection of a client: aiohttp's, with a time by which the head of each request is whole."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from aiohttp import web

from sync.central.gateway.refusals import refusal
from sync.central.gateway.request_ids import new_request_id
from sync.central.services.errors import ApiError
from sync.logs import serve

IDLE_S = 75.0  # between two requests
MAX_LINE = 8190  # bytes of a line of the head, with 128 lines at most
LINGER_S = 2.0  # a body that is refused unread is drained: a proxy that still sends it would answer 502 in our place
log = logging.getLogger(__name__)
_NO_LOG = logging.Logger("access", logging.CRITICAL)  # a URL may hold what no log may

_INTERNAL = ApiError("internal", "Internal error.")
_UNREADABLE = ApiError("malformed", "This is no HTTP request that can be read.")


class Connection(web.RequestHandler):
    """`due` is when the next request must be whole, on the clock of the loop; None while there is none to wait for."""

    due: float | None = None
    _is_idle = False
    _has_more = False

    def __init__(
        self,
        server: web.Server,
        plain: socket.socket,
        address: str,
        patience_s: float,
        release: Callable[["Connection"], None],
    ) -> None:
        """The connection of a connected socket from an address. `release` is called once, at its end."""
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=IDLE_S,
            access_log=_NO_LOG,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )
        self._plain: socket.socket | None = plain
        self.address = address
        self._patience_s = patience_s
        self._release: Callable[[Connection], None] | None = release

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A new connection has as long for its first request as for any other."""
        self.due = self._now() + self._patience_s
        self._plain = None  # it is the transport's
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """The first byte of a request sets the time by which it is whole."""
        if self.due is None:
            self._has_more = True
        elif self._is_idle:
            self._is_idle = False
            self.due = self._now() + self._patience_s
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing is due any more."""
        self.due = None
        self.release()
        super().connection_lost(exc)

    def release(self) -> None:
        """Gives back what the connection takes up."""
        release, self._release = self._release, None
        if release is not None:
            release(self)

    def begin(self) -> None:
        """The head of a request is whole. What comes after the request is the next one's."""
        self.due, self._is_idle, self._has_more = None, False, False

    def finish(self) -> None:
        """The request is answered."""
        self._is_idle = not self._has_more
        self.due = self._now() + (IDLE_S if self._is_idle else self._patience_s)

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered. A connection that shakes hands is idle too."""
        return self.due is not None or self._plain is not None

    def end(self) -> None:
        """Ends the connection at once."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
        elif self._plain is not None:
            with suppress(OSError):
                self._plain.shutdown(socket.SHUT_RDWR)  # the handshake on it fails then

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The response to a request that cannot be read, or whose answer failed. It tells nothing of the cause."""
        del request, message
        is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if is_ours:
            log.error("a request failed", exc_info=exc)
        else:
            serve(new_request_id())
        response = refusal(_INTERNAL if is_ours else _UNREADABLE)
        response.force_close()
        return response

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
