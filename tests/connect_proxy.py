"""An outbound proxy of a hospital for a test: CONNECT (RFC 9110, 9.3.6), with a login where one is set."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from types import TracebackType

_CHUNK = 65_536
_WAIT_S = 30.0


class ConnectProxy:
    """Forwards CONNECT, and plain requests with a whole URL. `refuse` is a status that it answers instead."""

    def __init__(self, login: str = "", refuse: str = "") -> None:
        self.login = login
        self.refuse = refuse
        self.asked: list[bytes] = []  # the first line of each request
        self.carried = bytearray()  # what came from the clients after it
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ConnectProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_WAIT_S)
            received = b""
            while b"\r\n\r\n" not in received:
                if not (chunk := connection.recv(_CHUNK)):
                    return
                received += chunk
            head, _, rest = received.partition(b"\r\n\r\n")
            line, *headers = head.split(b"\r\n")
            self.asked.append(line)
            if status := self._refusal(headers):
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                return
            method, target, _ = line.split(b" ")
            if method == b"CONNECT":
                address, first, reply = target, rest, b"HTTP/1.1 200 Connection established\r\n\r\n"
            else:
                address, _, path = target.removeprefix(b"http://").partition(b"/")
                first, reply = b" ".join([method, b"/" + path, b"HTTP/1.1"]) + received[len(line) :], b""
            host, _, port = address.decode().rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port)), timeout=_WAIT_S) as onward:
                connection.sendall(reply)
                onward.sendall(first)
                back = threading.Thread(target=_pipe, args=(onward, connection, bytearray()), daemon=True)
                back.start()
                _pipe(connection, onward, self.carried)
                back.join(_WAIT_S)

    def _refusal(self, headers: list[bytes]) -> str:
        if self.refuse:
            return self.refuse
        wanted = b"Proxy-Authorization: Basic " + base64.b64encode(self.login.encode())
        return "" if not self.login or wanted in headers else "407 Proxy Authentication Required"


def _pipe(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            kept += chunk
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
