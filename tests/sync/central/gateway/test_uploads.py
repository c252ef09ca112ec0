"""Uploads: a body that the application reads part by part, of any size, and clients that leave or are slow."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from sync.central.gateway.body import MAX_BODY
from sync.central.gateway.gateway import SHARES
from tests.sync.central.gateway.in_thread import GatewayInThread, WorkerInThread
from tests.sync.central.online import PATIENCE_S

PATH = "/api/v1/import/"


class Taker:
    """An application that reads the body of a request, unless its token is refused."""

    def __init__(self) -> None:
        self.size = 0
        self.failed = threading.Event()
        self.began = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("HTTP_AUTHORIZATION") == "Bearer refused":
            start_response("401 Unauthorized", [("Content-Length", "0")])
            return ()
        self.began.set()
        seen = hashlib.sha256()
        try:
            while part := environ["wsgi.input"].read(10_000):
                self.size += len(part)
                seen.update(part)
        except ConnectionError:
            self.failed.set()
            start_response("408 Request Timeout", [("Content-Length", "0")])
            return ()
        body = seen.hexdigest().encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return (body,)


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def gateway(taker: Taker) -> Iterator[GatewayInThread]:
    made = GatewayInThread([WorkerInThread(taker)], replace(SHARES, patience_s=0.5, body_bytes_a_second=1e6))
    yield made
    made.close()


def url(gateway: GatewayInThread, path: str = PATH) -> str:
    return f"http://127.0.0.1:{gateway.port}{path}"


@pytest.mark.parametrize("size", [1, MAX_BODY, 8 * MAX_BODY + 3])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_of_any_size_arrives_whole(gateway: GatewayInThread, size: int, is_chunked: bool):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    sent = iter([body[n : n + 70_000] for n in range(0, size, 70_000)]) if is_chunked else body
    answer = requests.post(url(gateway), data=sent, timeout=PATIENCE_S)
    assert answer.text == hashlib.sha256(body).hexdigest()


def test_other_paths_keep_their_limit(gateway: GatewayInThread, taker: Taker):
    requests.post(url(gateway, "/api/v1/other/"), data=b"x" * (MAX_BODY + 1), timeout=PATIENCE_S)
    assert taker.size == 0


def test_a_request_without_a_body_is_answered(gateway: GatewayInThread):
    assert requests.post(url(gateway), timeout=PATIENCE_S).text == hashlib.sha256(b"").hexdigest()


def test_who_is_refused_sends_no_body_where_they_ask_first(gateway: GatewayInThread, taker: Taker):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as client:
        client.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer refused\r\nContent-Length: 9000000\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        assert client.recv(100).startswith(b"HTTP/1.1 401")
    assert not taker.began.is_set()


def test_who_asks_first_is_let_in(gateway: GatewayInThread):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as client:
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        client.sendall(head.encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ab")
        assert hashlib.sha256(b"ab").hexdigest().encode() in client.makefile("rb").read()


def test_a_client_that_leaves_in_the_middle_ends_the_reading(gateway: GatewayInThread, taker: Taker):
    client = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S)
    client.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc".encode())
    assert taker.began.wait(PATIENCE_S)
    client.close()
    assert taker.failed.wait(PATIENCE_S)


def test_a_client_that_sends_no_more_is_answered_that_it_is_too_slow(gateway: GatewayInThread, taker: Taker):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as client:
        client.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 408")
    assert taker.failed.is_set()


def test_a_broken_chunk_ends_the_reading(gateway: GatewayInThread, taker: Taker):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as client:
        client.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n".encode())
        client.recv(100)
    assert taker.size == 0
