"""A pull of a kiosk that is under way, on a connection of its own."""

from __future__ import annotations

import select
import socket

import msgspec

from sync.protocol import PullAnswer, PullRequest
from tests.sync.central.online import PATIENCE_S

PULL = "/api/v1/sync/pull"


class Held:
    """A connection with a pull under way."""

    def __init__(self, port: int, token: str, request: PullRequest) -> None:
        body = msgspec.json.encode(request)
        head = f"POST {PULL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.connection.sendall(head.encode() + body)

    @property
    def is_answered(self) -> bool:
        """Whether an answer has come, or begins to come."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def answer(self) -> PullAnswer:
        with self.connection, self.connection.makefile("rb") as stream:
            head, _, body = stream.read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        assert b"no-store" in head
        return msgspec.json.decode(body, type=PullAnswer)
