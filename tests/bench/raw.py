"""Clients in a few lines of sockets: what they cost is not measured with the server."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.bench.recorded import PATH

_UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    """A connection from an address of this machine."""
    made = socket.create_connection(("127.0.0.1", port), 60, (source, 0))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


class Client:
    """A connection that acts."""

    def __init__(self, port: int, token: str, source: str = "127.0.0.1") -> None:
        self._socket = connect(port, source)
        self._token = token

    def act(self, number: int, body: dict[str, Any]) -> None:
        """Sends an action and reads its answer. Raises AssertionError where it is not done."""
        content = json.dumps(body).encode()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\nX-Number: {number}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + content)
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = self._socket.recv(65536)
            assert part, "the connection was closed"
            answer += part
        head_read, _, rest = answer.partition(b"\r\n\r\n")
        length = int(head_read.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(rest) < length:
            rest += self._socket.recv(65536)
        assert b" 200 " in head_read.split(b"\r\n")[0], answer

    def close(self) -> None:
        self._socket.close()


class WebSocket:
    """A WebSocket."""

    def __init__(
        self, port: int, token: str, patient_id: str, source: str = "127.0.0.1", path: str = "/ws/patient-journey/"
    ) -> None:
        self.socket = connect(port, source)
        query = f"?patient_id={patient_id}" if patient_id else ""
        head = f"GET {path}{query} HTTP/1.1\r\nHost: x\r\n{_UPGRADE}Authorization: Bearer {token}\r\n\r\n"
        self.socket.sendall(head.encode())
        self._buffer = bytearray()

    def await_open(self) -> int:
        """Reads the answer to the handshake, and the first message of an open socket. Returns the status."""
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        status = int(self._buffer[9:12])
        del self._buffer[: self._buffer.index(b"\r\n\r\n") + 4]
        if status == 101:
            self.next()
        return status

    def send(self, text: str) -> None:
        """Sends a message of fewer than 65,536 bytes. Its mask is 0, which leaves the text as it is."""
        content = text.encode()
        length = bytes([128 | len(content)]) if len(content) < 126 else b"\xfe" + len(content).to_bytes(2, "big")
        self.socket.sendall(b"\x81" + length + bytes(4) + content)

    def next(self) -> bytes:
        """The next message."""
        while True:
            frame = self._frame()
            if frame is not None and frame[0] == 1:
                return frame[1]
            if frame is None:
                self._read()

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        length, begin = buffer[1] & 127, 2
        if length == 126:
            length, begin = int.from_bytes(buffer[2:4], "big"), 4
        elif length == 127:
            if len(buffer) < 10:
                return None
            length, begin = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < begin + length:
            return None
        content = bytes(buffer[begin : begin + length])
        opcode = buffer[0] & 15
        del buffer[: begin + length]
        return opcode, content

    def _read(self) -> None:
        data = self.socket.recv(65536)
        assert data, "the socket was closed"
        self._buffer += data
