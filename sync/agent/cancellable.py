"""A transport for requests whose call another thread can cancel: at a deadline, or when the daemon stops."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

from sync.agent.route import Route

# A cable that is pulled sends no reset. A held call must end all the same: after four seconds without a byte, and three
# questions that the other machine does not answer (tcp(7)). The last option does it where data is on its way.
_SOCKET_OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 4),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 7000),
]


class CallCancelled(OSError):
    """The call was cancelled."""


class CancellableAdapter(HTTPAdapter):
    """Carries one call at a time over a route, and knows the connection of that call."""

    def __init__(self, route: Route | None = None) -> None:
        self._route = route or Route()
        self._lock = threading.Lock()
        self._call = 0
        self._cancelled = False
        self._closed = False
        self._connection: HTTPConnection | None = None
        self._has_left: Callable[[], None] = lambda: None
        self._proxy_headers: dict[str, str] = {}
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the connection pools, whose connections report when they connect. The base class calls this."""
        super().init_poolmanager(*args, **kwargs, socket_options=_SOCKET_OPTIONS)
        self.poolmanager.pool_classes_by_scheme = self._pools()

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> PoolManager:
        """Returns the pools of a proxy, whose connections report too. Raises UnusableFile."""
        if self._proxy_headers != (headers := self._route.proxy_headers()):
            self.proxy_manager.clear()  # the login has changed since
        self._proxy_headers = headers
        manager: PoolManager = super().proxy_manager_for(proxy, **kwargs, socket_options=_SOCKET_OPTIONS)
        manager.pool_classes_by_scheme = self._pools()
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002
        """Returns the headers for a proxy. The base class would take a login from the proxy's URL."""
        return self._proxy_headers

    def cert_verify(self, conn: Any, *_: object) -> None:
        """Leaves the trust to the route. The base class would trust the CAs of certifi besides."""
        conn.cert_reqs = "CERT_REQUIRED"

    def _pools(self) -> dict[str, type[HTTPConnectionPool]]:
        adapter = self

        class Plain(HTTPConnection):
            def connect(self) -> None:
                adapter._connect(self, super().connect)

            def getresponse(self) -> HTTPResponse:  # type: ignore[override]
                adapter._has_left()
                return super().getresponse()

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                self.ssl_context = adapter._route.context()
                adapter._connect(self, super().connect)

            def getresponse(self) -> HTTPResponse:  # type: ignore[override]
                adapter._has_left()
                return super().getresponse()

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}

    @property
    def is_cancelled(self) -> bool:
        """Whether the last call was cancelled, at its deadline or for good."""
        return self._cancelled

    @property
    def was_cancelled(self) -> bool:
        """Whether the present call, or the last one, was cancelled at its deadline."""
        return self._cancelled and not self._closed

    def begin(self, has_left: Callable[[], None] = lambda: None) -> int:
        """Begins a call and returns its number. Raises CallCancelled after `cancel_all`.

        `has_left` is called once the whole request is on the way.
        """
        with self._lock:
            if self._closed:
                raise CallCancelled
            self._has_left = has_left
            self._call += 1
            self._cancelled = False
            return self._call

    def cancel(self, call: int) -> None:
        """Cancels the call of that number. A call that has ended is left alone."""
        with self._lock:
            if call == self._call:
                self._shut_down()

    def cancel_all(self) -> None:
        """Cancels the present call and every later one."""
        with self._lock:
            self._closed = True
            self._shut_down()

    def _shut_down(self) -> None:
        self._cancelled = True
        sock = self._connection.sock if self._connection else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _connect(self, connection: HTTPConnection, connect: Any) -> None:
        self._connection = connection
        connect()
        with self._lock:
            # A call that was cancelled before it had a socket still has an open connection.
            if self._cancelled:
                connection.close()
                raise CallCancelled
