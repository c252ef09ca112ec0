"""A relay between pages and a centre, whose WebSockets a test cuts, refuses or silences while plain requests pass."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_CHUNK = 65536


class Relay:
    """Passes connections on to a port of this machine. `sockets` counts the WebSockets that were asked for."""

    def __init__(self, port: int) -> None:
        self.sockets = 0
        self.refuses_sockets = False
        self.refuses_all = False
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[_Passage] = []
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    @property
    def open_sockets(self) -> int:
        """The number of WebSockets that are open now."""
        return sum(each.is_socket and each.is_open for each in self._open)

    def cut_sockets(self) -> None:
        """Ends the WebSockets that are open."""
        for each in [each for each in self._open if each.is_socket]:
            each.end()

    def silence_sockets(self) -> None:
        """Drops what the present WebSockets send and get from now on. They stay open."""
        for each in self._open:
            each.is_silent = each.is_socket

    def close(self) -> None:
        """Ends everything."""
        self._listener.close()
        for each in self._open:
            each.end()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._begin, args=(client,), name="relay-connection", daemon=True).start()

    def _begin(self, client: socket.socket) -> None:
        with suppress(OSError):
            head = client.recv(_CHUNK)
            is_socket = b"upgrade: websocket" in head.lower()
            self.sockets += is_socket
            if self.refuses_all or (is_socket and self.refuses_sockets):
                client.close()
                return
            passage = _Passage(client, socket.create_connection(("127.0.0.1", self._target)), is_socket=is_socket)
            self._open.append(passage)
            passage.begin(head)


class _Passage:
    """One connection through the relay."""

    def __init__(self, client: socket.socket, server: socket.socket, *, is_socket: bool) -> None:
        self.is_socket = is_socket
        self.is_silent = False
        self.is_open = True
        self._client = client
        self._server = server

    def begin(self, head: bytes) -> None:
        self._server.sendall(head)
        threading.Thread(target=self._pass, args=(self._server, self._client), name="relay-back", daemon=True).start()
        self._pass(self._client, self._server)

    def end(self) -> None:
        self.is_open = False
        for each in (self._client, self._server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if not self.is_silent:
                    target.sendall(data)
        self.end()
