"""Clients that mean harm, from addresses of their own: `python -m tests.bench.attackers KIND PORT TOKEN`.

Each goes on until its standard input ends, and for two minutes at most.
"""

from __future__ import annotations

import resource
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from sync.central.gateway.gateway import SHARES
from tests.bench.raw import WebSocket, connect

LONGEST_S = 120.0
SOURCE = "127.0.0.7"
_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
_HEAD = b"POST /api/v1/sync/push HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\nX-Fill: "


def drip(port: int, _: str) -> Iterator[float]:
    """112 connections that send a byte every four seconds."""
    held: list[socket.socket] = []
    while True:
        held = [each for each in held if _sends(each, b"x")]
        while len(held) < 112:
            held.append(connect(port, SOURCE))
            held[-1].sendall(_HEAD)
        yield 4.0


def silent(port: int, _: str) -> Iterator[float]:
    """As many connections as an address may have, which send nothing."""
    held: list[socket.socket] = []
    while True:
        held = [each for each in held if not _has_ended(each)]
        with suppress(OSError):
            while len(held) < SHARES.of_an_address:
                held.append(connect(port, SOURCE))
        yield 0.5


def flood(port: int, _: str) -> Iterator[float]:
    """64 connections that ask without a pause."""
    held = [connect(port, SOURCE) for _ in range(64)]
    for each in held:
        each.sendall(_HEALTH)
    while True:
        for each in select.select(held, [], [], 1.0)[0]:
            each.recv(65536)
            each.sendall(_HEALTH)
        yield 0.0


def leave(port: int, _: str) -> Iterator[float]:
    """Asks and leaves, again and again."""
    while True:
        with suppress(OSError), connect(port, SOURCE) as each:
            each.sendall(_HEALTH)
        yield 0.0


def socket_flood(port: int, token: str) -> Iterator[float]:
    """One WebSocket that asks for the state as fast as it can, and reads no answer."""
    made = WebSocket(port, token, "", SOURCE)
    assert made.await_open() == 101
    text = b'{"command":"fetch_initial_state"}'
    frame = bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text
    made.socket.settimeout(0.05)
    while True:
        with suppress(OSError):
            made.socket.send(frame * 100)
        yield 0.0


KINDS: Mapping[str, Callable[[int, str], Iterator[float]]] = {
    "drip": drip,
    "silent": silent,
    "flood": flood,
    "leave": leave,
    "socket_flood": socket_flood,
}


def _sends(connection: socket.socket, data: bytes) -> bool:
    if _has_ended(connection):
        return False
    with suppress(OSError):
        connection.sendall(data)
        return True
    return False


def _has_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.setblocking(True)


def main(kind: str, port: str, token: str) -> None:
    """Attacks until told to stop."""
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (2 * SHARES.of_an_address, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    until_s = time.monotonic() + LONGEST_S
    for pause_s in KINDS[kind](int(port), token):
        ended, _, _ = select.select([sys.stdin], [], [], pause_s)
        if ended or time.monotonic() > until_s:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
