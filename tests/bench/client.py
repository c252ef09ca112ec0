"""Clients that cost little: a process of one thread, which keeps some connections busy with requests made before.

It reads a job from its standard input, {"port", "clients", "requests": [each, whole]}, and writes one line,
{"rate": requests a second, "latencies": seconds, "processors": its own share, 1 is one processor all the time}. Client
and server share the machine: what the one takes, the other lacks.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """What one run has measured: requests a second, how long each took (s), and the processors that the client used."""

    rate: float
    latencies: Sequence[float]
    processors: float


@dataclass(frozen=True)
class Job:
    """Requests to one server. Each is a POST of JSON to `path`, with a header `X-Number` from `first` on."""

    port: int
    path: str
    token: str
    clients: int
    first: int
    bodies: Sequence[Mapping[str, Any]]


def drive(job: Job) -> Run:
    """Sends the requests in a process of its own. Raises AssertionError where one is not answered with 200."""
    return send(
        job.port, job.clients, [_request(job, number, body) for number, body in enumerate(job.bodies, job.first)]
    )


def send(port: int, clients: int, requests: Sequence[str]) -> Run:
    """As `drive`, with requests that are whole."""
    document = {"port": port, "clients": clients, "requests": requests}
    done = subprocess.run(
        [sys.executable, "-S", "-E", __file__], input=json.dumps(document), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Run(**json.loads(done.stdout))


def get(path: str, token: str) -> str:
    """A request that reads."""
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", "", ""))


def post(path: str, token: str, body: Mapping[str, Any], *more: str) -> str:
    """A POST of JSON, with more lines of the head."""
    content = json.dumps(body)
    head = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    )
    return "\r\n".join((*head, *more, "", content))


def _request(job: Job, number: int, body: Mapping[str, Any]) -> str:
    return post(job.path, job.token, body, f"X-Number: {number}")


class _Client:
    """One connection, with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._begin = 0.0

    def send(self, request: bytes) -> None:
        self._received = b""
        self._begin = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> float | None:
        """Reads on. The seconds since the request once the answer is whole."""
        chunk = self.socket.recv(65536)
        assert chunk, f"the server has closed the connection: {self._received!r}"
        self._received += chunk
        head, separator, content = self._received.partition(b"\r\n\r\n")
        if not separator or len(content) < _length(head):
            return None
        took = time.perf_counter() - self._begin
        assert head.startswith(b"HTTP/1.1 200"), self._received
        return took


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next(int(value) for name, _, value in lines if name == b"content-length")


def _run(port: int, clients: int, requests: list[bytes]) -> dict[str, object]:
    latencies: list[float] = []
    left = list(reversed(requests))
    with selectors.DefaultSelector() as selector:
        connected = [_Client(port) for _ in range(clients)]
        for client in connected:
            selector.register(client.socket, selectors.EVENT_READ, client)
        begin, spent = time.perf_counter(), time.process_time()
        for client in connected[: len(left)]:
            client.send(left.pop())
        while len(latencies) < len(requests):
            for key, _ in selector.select():
                took = key.data.receive()
                if took is None:
                    continue
                latencies.append(took)
                if left:
                    key.data.send(left.pop())
    took = time.perf_counter() - begin
    processors = (time.process_time() - spent) / took
    return {"rate": len(requests) / took, "latencies": latencies, "processors": processors}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump(_run(given["port"], given["clients"], [each.encode() for each in given["requests"]]), sys.stdout)
