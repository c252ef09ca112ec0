"""A page whose socket is read as bytes, without the work of a client library."""

from __future__ import annotations

import socket

from tests.kiosk.ui.admitted import cookie_of

PING, PONG = 0x9, 0xA
FINAL, MASKED = 0x80, 0x80


class PageClient:
    """A connected page. Its frames are those of RFC 6455, 5.2; a message is one frame."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Cookie: {cookie_of(port)['Cookie']}\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._stream = self._socket.makefile("rb")
        while self._stream.readline().strip():
            pass

    def receive(self) -> bytes:
        """Returns the payload of the next message. Pings on the way are answered."""
        while True:
            kind, payload = self._frame()
            if kind != PING:
                return payload
            self._socket.sendall(bytes([FINAL | PONG, MASKED | len(payload)]) + bytes(4) + payload)

    def _frame(self) -> tuple[int, bytes]:
        """The kind and the payload of the next frame; a server's are not masked."""
        first, length = self._stream.read(2)
        if length > 125:
            length = int.from_bytes(self._stream.read(2 if length == 126 else 8), "big")
        return first & 0xF, self._stream.read(length)

    def close(self) -> None:
        self._stream.close()
        self._socket.close()
