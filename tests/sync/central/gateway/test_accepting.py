"""Connections that come in a burst."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path

from sync.central.gateway.accepting import Accepting
from sync.central.gateway.listening import listen
from tests.sync.central.online import PATIENCE_S

BURST = 50
RETURNING = 700  # fewer than a process may have files


def test_others_have_their_turn_between_the_connections_of_a_burst():
    turn = 0
    at: list[int] = []

    def refuse(plain: socket.socket, address: str) -> None:
        at.append(turn)

    async def serve(listener: socket.socket) -> None:
        nonlocal turn
        accepting = asyncio.create_task(Accepting(listener, refuse, None, 30.0).run())
        while len(at) < BURST:
            turn += 1
            await asyncio.sleep(0)
        accepting.cancel()

    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=BURST))
        for _ in range(BURST):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        asyncio.run(serve(listener))
    assert len(set(at)) == BURST


def test_clients_that_return_all_at_once_are_connected_before_they_are_accepted():
    most = int(Path("/proc/sys/net/core/somaxconn").read_text("ascii"))
    with ExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1:0"))
        for _ in range(min(RETURNING, most)):
            stack.enter_context(socket.create_connection(listener.getsockname(), PATIENCE_S))
