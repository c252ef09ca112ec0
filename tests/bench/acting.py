"""Clients that act at a centre without a pause, on connections that stay open, as cheap as they can be."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

PATH = "/api/v1/patient-journey/perform-action/"
Journey = list[dict[str, Any]]  # the actions on one patient, in their order
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Acted:
    """What clients have done: the seconds of each action, the moment of each marked one, and the seconds of all."""

    latencies_s: list[float] = field(default_factory=list)
    marked_s: dict[str, float] = field(default_factory=dict)
    whole_s: float = 0.0

    @property
    def rate(self) -> float:
        """Actions a second."""
        return len(self.latencies_s) / self.whole_s


@dataclass(frozen=True, slots=True)
class Door:
    """The address of a centre, and the token of staff."""

    host: str
    port: int
    token: str


def act(door: Door, journeys: Iterator[Journey], clients: int, goes_on: Callable[[], bool], mark: str) -> Acted:
    """Acts with so many clients while `goes_on()`. Each takes one journey after the other.

    An action on a patient whose id begins with `mark` is marked.
    """
    return asyncio.run(_act(door, journeys, clients, goes_on, mark))


async def _act(door: Door, journeys: Iterator[Journey], clients: int, goes_on: Callable[[], bool], mark: str) -> Acted:
    acted = Acted()
    streams = [await asyncio.open_connection(door.host, door.port) for _ in range(clients)]

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for action in itertools.chain.from_iterable(journeys):
            if not goes_on():
                return
            began_s = time.monotonic()
            await _send(door, reader, writer, action)
            ended_s = time.monotonic()
            acted.latencies_s.append(ended_s - began_s)
            patient_id = action["payload"]["patient_id"]
            if patient_id.startswith(mark):
                acted.marked_s[patient_id] = ended_s

    began_s = time.monotonic()
    await asyncio.gather(*(client(*stream) for stream in streams))
    acted.whole_s = time.monotonic() - began_s
    for _, writer in streams:
        writer.close()
    return acted


async def _send(door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, action: dict[str, Any]) -> None:
    body = json.dumps(action).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {door.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answered = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(answered)
    assert length is not None
    answer = await reader.readexactly(int(length[1]))
    assert answered.startswith(b"HTTP/1.1 200"), (answered, answer)
