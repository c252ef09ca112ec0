"""The proxy itself: each behaviour, in front of a small server that echoes requests."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kiosk.demo.hospital import wait_for
from tests.reliability.chaos_proxy import Behaviour, ChaosProxy, Kind, always, calm, storm

WORDS = b"a request that the server sends back as its answer, " * 20
SOON_S = 0.3


class EchoServer(ThreadingHTTPServer):
    """Answers a POST with the same body, and keeps all bodies."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.bodies: list[bytes] = []

    def handle_error(self, *_: object) -> None:
        """Logs nothing: clients are expected to hang up in the middle."""


class EchoHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: EchoServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    server = EchoServer()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(echo: EchoServer) -> Iterator[ChaosProxy]:
    made = ChaosProxy("127.0.0.1", echo.server_port)
    yield made
    made.close()


def call(proxy: ChaosProxy, timeout_s: float = 30.0) -> bytes:
    """Makes one request on a new connection. Raises OSError or HTTPException where it fails."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout_s)
    try:
        connection.request("POST", "/", WORDS)
        return connection.getresponse().read()
    finally:
        connection.close()


def read_to_end(client: socket.socket) -> tuple[bytes, OSError | None]:
    """All received bytes, and the error that ended the connection; None where it ended properly."""
    received = b""
    try:
        while data := client.recv(4096):
            received += data
    except OSError as error:
        return received, error
    return received, None


def test_without_a_behaviour_it_passes_everything(proxy: ChaosProxy, echo: EchoServer):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    for _ in range(3):
        connection.request("POST", "/", WORDS)
        assert connection.getresponse().read() == WORDS
    connection.close()
    assert (echo.bodies, proxy.accepted, proxy.struck.total()) == ([WORDS] * 3, 1, 0)


@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.STALL, Kind.TRICKLE])
def test_a_slow_connection_passes_everything(proxy: ChaosProxy, kind: Kind):
    proxy.behave(always(Behaviour(kind, after=100, pause_s=0.0005)))
    assert call(proxy) == WORDS
    assert proxy.struck[kind] > (500 if kind is Kind.TRICKLE else 0)


@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.STALL, Kind.TRICKLE])
def test_a_connection_that_is_too_slow_is_a_time_out(proxy: ChaosProxy, kind: Kind):
    proxy.behave(always(Behaviour(kind, after=0, pause_s=60)))
    with pytest.raises(TimeoutError):
        call(proxy, SOON_S)


@pytest.mark.parametrize("after", [0, 1, 300])
def test_a_reset_comes_in_mid_answer_after_the_whole_request(proxy: ChaosProxy, echo: EchoServer, after: int):
    proxy.behave(always(Behaviour(Kind.RESET, after)))
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(WORDS), WORDS))
        received, error = read_to_end(client)
    assert (len(received), type(error)) == (after, ConnectionResetError)
    assert (echo.bodies, proxy.struck[Kind.RESET]) == ([WORDS], 1)


def test_a_request_that_is_cut_arrives_in_part_only(proxy: ChaosProxy, echo: EchoServer):
    proxy.behave(always(Behaviour(Kind.CUT_REQUEST, after=200)))
    with pytest.raises((OSError, http.client.HTTPException)):
        call(proxy)
    assert proxy.struck[Kind.CUT_REQUEST] == 1
    assert WORDS not in echo.bodies


def test_a_half_open_connection_is_accepted_and_nothing_else(proxy: ChaosProxy, echo: EchoServer):
    proxy.behave(always(Behaviour(Kind.HALF_OPEN)))
    with pytest.raises(TimeoutError):
        call(proxy, SOON_S)
    assert echo.bodies == []


@pytest.mark.parametrize("after", [0, 150])
def test_a_black_hole_swallows_the_answer(proxy: ChaosProxy, echo: EchoServer, after: int):
    proxy.behave(always(Behaviour(Kind.BLACK_HOLE, after)))
    with pytest.raises(TimeoutError):
        call(proxy, SOON_S)
    assert (echo.bodies, proxy.struck[Kind.BLACK_HOLE]) == ([WORDS], 1)


def test_a_repeated_request_arrives_twice_and_is_answered_once(proxy: ChaosProxy, echo: EchoServer):
    proxy.behave(always(Behaviour(Kind.REPEAT)))
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    for _ in range(2):
        connection.request("POST", "/", WORDS)
        assert connection.getresponse().read() == WORDS
    connection.close()
    wait_for(lambda: proxy.struck[Kind.REPEAT] == 2, "the repeats never came")
    assert echo.bodies == [WORDS] * 4


def test_a_request_in_pieces_is_repeated_whole(proxy: ChaosProxy, echo: EchoServer):
    proxy.behave(always(Behaviour(Kind.REPEAT)))
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as client:
        for piece in (b"POST / HTTP/1.1\r\nContent-Le", b"ngth: 6\r\n\r\nabc", b"defPOST / HTTP/1.1\r\n"):
            client.sendall(piece)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wait_for(lambda: proxy.struck[Kind.REPEAT] == 1, "the repeat never came")
    assert echo.bodies == [b"abcdef"] * 2


def test_a_connection_to_a_port_without_a_listener_ends():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    proxy = ChaosProxy("127.0.0.1", port)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        call(proxy)
    proxy.close()


def test_open_connections_can_be_reset_and_later_ones_pass(proxy: ChaosProxy):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    connection.request("POST", "/", WORDS)
    assert connection.getresponse().read() == WORDS
    proxy.reset()
    assert type(read_to_end(connection.sock)[1]) is ConnectionResetError
    connection.close()
    proxy.behave(calm)
    assert call(proxy) == WORDS


def test_closing_the_proxy_ends_connections_under_way(echo: EchoServer):
    proxy = ChaosProxy("127.0.0.1", echo.server_port, always(Behaviour(Kind.STALL, pause_s=3600)))
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
        wait_for(lambda: proxy.struck[Kind.STALL], "it never stalled")
        proxy.close()
        with pytest.raises(ConnectionResetError):
            client.recv(4096)


def test_a_schedule_of_the_same_seed_is_the_same():
    kinds = [Behaviour(kind, after=1000, pause_s=0.1) for kind in Kind]
    first, again, other = (storm(seed, *kinds) for seed in (1, 1, 2))
    numbers = range(200)
    assert [first(n) for n in numbers] == [again(n) for n in numbers]
    assert [first(n) for n in numbers] != [other(n) for n in numbers]
    assert {first(n).kind for n in numbers} == {*Kind}
