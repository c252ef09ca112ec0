"""A reverse proxy that reads HTTP/1.1, with the faults of a hospital's firewall, by the rules of a test.

`tests/reliability/chaos_proxy.py` works on bytes; this one knows requests and answers. WebSockets do not pass.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import urlsplit

ACCEPT_BACKLOG = 64
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: the close sends a reset
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "proxy-connection"})

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the middlebox read it."""

    method: str
    path: str
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return _first(self.headers, name)

    def without(self, name: str) -> Request:
        """Returns the request without its headers of a name."""
        return replace(self, headers=_without(self.headers, name))


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. With `cut_at`, the connection ends after that many bytes of the body."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    cut_at: int | None = None

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return _first(self.headers, name)

    def with_header(self, name: str, value: str) -> Response:
        """Returns the answer with one header of a name, in place of any others."""
        return replace(self, headers=(*_without(self.headers, name), (name, value)))

    def without(self, name: str) -> Response:
        """Returns the answer without its headers of a name."""
        return replace(self, headers=_without(self.headers, name))


class Reset:
    """The connection ends in a TCP reset."""


RESET = Reset()
Outcome = int | Response | Reset  # the status of a block page, a whole answer, or a reset
Predicate = Callable[[Request], bool]


@dataclass(frozen=True, slots=True)
class _Rules:
    blocks: tuple[tuple[Predicate, Outcome], ...] = ()
    strips: tuple[str, ...] = ()
    rewrites: tuple[Callable[[Request, Response], Response], ...] = ()
    own_answer: Outcome | None = None


class Middlebox:
    """Stands between clients and one server. Rules may change at any time, and from any thread; they add up.

    `struck` counts what the rules have changed, so that a test can wait for it. `seen` are all requests.
    """

    def __init__(
        self,
        target_url: str,
        port: int = 0,
        server_tls: ssl.SSLContext | None = None,
        target_tls: ssl.SSLContext | None = None,
    ) -> None:
        """Passes everything to `target_url` (its scheme, host and port count). With `server_tls` it speaks TLS itself.
        `target_tls` is the context towards a target with https."""
        self.struck = 0
        self.seen: list[Request] = []
        self._target = urlsplit(target_url)
        self._target_tls = target_tls
        self._rules = _Rules()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", port), _handler_for(self))
        if server_tls:
            self._server.socket = server_tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if server_tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="middlebox", daemon=True)
        self._thread.start()

    def block(self, predicate: Predicate, how: Outcome = 403) -> None:
        """Requests for which `predicate` is true never reach the server: they end as `how` says."""
        self._rules = replace(self._rules, blocks=(*self._rules.blocks, (predicate, how)))

    def strip_header(self, header: str) -> None:
        """Removes the headers of a name from each request."""
        self._rules = replace(self._rules, strips=(*self._rules.strips, header))

    def rewrite(self, change: Callable[[Request, Response], Response]) -> None:
        """Every answer of the server becomes what `change` makes of it."""
        self._rules = replace(self._rules, rewrites=(*self._rules.rewrites, change))

    def answer(self, answer: Outcome) -> None:
        """Every request gets this answer, and none reaches the server."""
        self._rules = replace(self._rules, own_answer=answer)

    def let_pass(self) -> None:
        """Ends all rules."""
        self._rules = _Rules()

    def hang_up(self) -> None:
        """Ends all connections, those of waiting calls among them."""
        with self._lock:
            connections = tuple(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends everything. The port refuses connections from now on."""
        self._server.shutdown()
        self._server.server_close()
        self.hang_up()
        self._thread.join()

    def __enter__(self) -> Middlebox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def outcome_of(self, request: Request) -> Response | Reset:
        """What a client gets for a request. Raises OSError or HTTPException where the server fails."""
        rules = self._rules
        self.seen.append(request)
        how = rules.own_answer
        if how is None:
            how = next((how for predicate, how in rules.blocks if predicate(request)), None)
        if how is not None:
            self._strike()
            return _block_page(how) if isinstance(how, int) else how
        sent = request
        for header in rules.strips:
            sent = sent.without(header)
        answered = self._forward(sent)
        changed = answered
        for rewrite in rules.rewrites:
            changed = rewrite(request, changed)
        if sent != request or changed != answered:
            self._strike()
        return changed

    def _strike(self) -> None:
        with self._lock:
            self.struck += 1

    def _forward(self, request: Request) -> Response:
        connection = self._connect()
        try:
            connection.connect()
            with self.tracked(connection.sock):
                connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
                for name, value in request.headers:
                    connection.putheader(name, value)
                connection.putheader("Content-Length", str(len(request.body)))
                connection.endheaders(request.body)
                answer = connection.getresponse()
                return Response(answer.status, _end_to_end(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._target.hostname or "127.0.0.1", self._target.port
        if self._target.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=60, context=self._target_tls)
        return http.client.HTTPConnection(host, port, timeout=60)

    @contextlib.contextmanager
    def tracked(self, connection: socket.socket) -> Iterator[None]:
        """`hang_up` ends this connection while the block runs."""
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = ACCEPT_BACKLOG

    def handle_error(self, request: object, client_address: object) -> None:
        """Broken connections are what this server is for."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    middlebox: ClassVar[Middlebox]

    def handle(self) -> None:
        """Serves one connection."""
        with self.middlebox.tracked(self.connection), contextlib.suppress(OSError):
            super().handle()

    def handle_any(self) -> None:
        """Answers one request as the rules say; with 502 where the server fails."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, _end_to_end(self.headers.items()), body)
        try:
            outcome = self.middlebox.outcome_of(request)
        except (OSError, http.client.HTTPException):
            outcome = _block_page(502)
        if isinstance(outcome, Reset):
            self._reset()
        else:
            self._send(outcome)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    def _send(self, response: Response) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body[: response.cut_at])
        if response.cut_at is not None:
            self.close_connection = True

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        self.connection.close()
        self.rfile.close()  # the socket lives on while a file of it is open

    def log_message(self, format: str, *args: object) -> None:
        """A test prints no requests."""


def _handler_for(middlebox: Middlebox) -> type[_Handler]:
    class Handler(_Handler):
        pass

    Handler.middlebox = middlebox
    return Handler


def _block_page(status: int) -> Response:
    """The page of a firewall."""
    page = f"<html><head><title>Request blocked ({status})</title></head><body>Support id 4711</body></html>"
    return Response(status, (("Content-Type", "text/html"),), page.encode())


def _end_to_end(headers: Iterable[tuple[str, str]]) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() not in HOP_BY_HOP)


def _first(headers: Headers, name: str) -> str | None:
    return next((value for header, value in headers if header.lower() == name.lower()), None)


def _without(headers: Headers, name: str) -> Headers:
    return tuple((header, value) for header, value in headers if header.lower() != name.lower())
