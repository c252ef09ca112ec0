"""What is accepted in the very moment in which a service leaves its port to another one is answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from tests.sync.central.gateway.in_thread import GatewayInThread, WorkerInThread
from tests.sync.central.online import PATIENCE_S

TURNS = 5  # of the loop, within which a connection is accepted and has its place
REQUEST = b"GET / HTTP/1.1\r\nHost: centre\r\n\r\n"


class Leaving:
    """A service that leaves so many turns of its loop after a client has connected."""

    def __init__(self, turns: int) -> None:
        self._gateway = GatewayInThread([WorkerInThread(self._answer)])
        self._turns = turns

    def first_line(self) -> bytes:
        """The first line that the client gets; empty where nobody has accepted it."""
        gateway, loop = self._gateway.gateway, self._gateway._loop
        assert gateway is not None
        asyncio.run_coroutine_threadsafe(gateway._workers.wait_ready(), loop).result()
        client = asyncio.run_coroutine_threadsafe(self._leave(gateway), loop).result()
        with client, suppress(ConnectionError):
            client.settimeout(PATIENCE_S)
            return client.recv(4096).partition(b"\r\n")[0]
        return b""

    def close(self) -> None:
        self._gateway.join()

    async def _leave(self, gateway: Any) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self._gateway.port))
        client.sendall(REQUEST)
        for _ in range(self._turns):
            await asyncio.sleep(0)
        self._drained = asyncio.create_task(gateway.drain(PATIENCE_S, has_successor=True))
        return client

    @staticmethod
    def _answer(_: Any, start: Any) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]


def test_whoever_is_accepted_is_answered():
    told = []
    for turns in range(TURNS):
        leaving = Leaving(turns)
        told.append(leaving.first_line())
        leaving.close()
    assert set(told) <= {b"", b"HTTP/1.1 200 OK"}
    assert told[-1] == b"HTTP/1.1 200 OK"
