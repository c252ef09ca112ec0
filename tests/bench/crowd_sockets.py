"""The WebSockets of a hospital, in one process that takes little of the machine: telephones and boards.

The process takes one command a line. It answers each with a line of JSON:

    open          opens every socket, some at a time; answers the seconds until all have their state
    heard NUMBER  once so many messages have come: for each patient, and each socket that follows them, when its
                  messages came (UTC ms)

python -m tests.bench.crowd_sockets PORT ADDRESS SOCKETS-FILE

The file is a list of [token, patient id]. All sockets come from one address of this machine.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import defaultdict
from pathlib import Path

AT_ONCE = 100  # that open together
_TEXT, _CLOSE, _PING = 1, 8, 9
_UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Follower(asyncio.Protocol):
    """One socket, which follows a patient."""

    def __init__(self, token: str, patient_id: str) -> None:
        self.patient_id = patient_id
        self.heard_ms: list[float] = []
        self.has_state = asyncio.Event()
        self._token = token
        self._buffer = bytearray()
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        head = f"GET /ws/patient-journey/?patient_id={self.patient_id} HTTP/1.1\r\nHost: x\r\n{_UPGRADE}"
        transport.write(f"{head}Authorization: Bearer {self._token}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            self._open()
        while self._is_open and (frame := self._frame()) is not None:
            self._take(*frame)

    def connection_lost(self, error: Exception | None) -> None:
        raise SystemExit(f"the centre ended a socket: {error}")

    def _open(self) -> None:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"refused: {self._buffer!r}")
        self._buffer, self._is_open = bytearray(rest), True

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, begin = buffer[1] & 127, 2
        if length == 126:
            length, begin = int.from_bytes(buffer[2:4], "big"), 4
        if len(buffer) < begin + length:
            return None
        kind, content = buffer[0] & 15, bytes(buffer[begin : begin + length])
        del buffer[: begin + length]
        return kind, content

    def _take(self, kind: int, content: bytes) -> None:
        if kind == _TEXT and self.has_state.is_set():
            self.heard_ms.append(time.time() * 1000)
        elif kind == _TEXT:
            self.has_state.set()
        elif kind == _PING:
            # A client masks what it sends (RFC 6455, 5.3), here with zeros.
            self._transport.write(bytes((0x8A, 0x80 | len(content), 0, 0, 0, 0)) + content)
        elif kind == _CLOSE:
            raise SystemExit(f"the centre closed a socket: {content!r}")


async def open_all(port: int, address: str, sockets: list[list[str]]) -> tuple[float, list[Follower]]:
    """The seconds until each socket has its state, and the sockets."""
    began_s = time.monotonic()
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(token: str, patient_id: str) -> Follower:
        async with turns:
            _, follower = await asyncio.get_running_loop().create_connection(
                lambda: Follower(token, patient_id), "127.0.0.1", port, local_addr=(address, 0)
            )
            await follower.has_state.wait()
            return follower

    followers = await asyncio.gather(*(one(*each) for each in sockets))
    return time.monotonic() - began_s, list(followers)


async def take_heard(followers: list[Follower], number: int) -> dict[str, list[list[float]]]:
    """When the messages of each patient's sockets came (UTC ms), once so many have come. They are forgotten here."""
    while sum(len(each.heard_ms) for each in followers) < number:
        await asyncio.sleep(0.01)
    heard: defaultdict[str, list[list[float]]] = defaultdict(list)
    for each in followers:
        if each.heard_ms:
            heard[each.patient_id].append(each.heard_ms)
            each.heard_ms = []
    return heard


async def serve(port: int, address: str, sockets: list[list[str]]) -> None:
    """Follows the commands of the input."""
    followers: list[Follower] = []
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, *words = line.split()
        answer: object
        if command == "open":
            answer, followers = await open_all(port, address, sockets)
        else:
            answer = await take_heard(followers, int(words[0]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    listed = json.loads(Path(sys.argv[3]).read_text("utf-8"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(listed) + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], listed))
