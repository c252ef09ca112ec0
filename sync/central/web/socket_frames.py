"""A WebSocket's connection, such that its two threads do not disturb each other.

simple-websocket sends pings from the thread that reads, and everything else from the one that asked: without a lock and
with plain `send`, a frame may be cut in two by another. Its `event_class` is how a reader can be woken for other news.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

SEND_TIMEOUT_S = 10
PARTING_S = 1.0


class WholeFrames:
    """A connected socket whose `send` sends all of it, one at a time, and gives up on a peer that takes nothing."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT_S, 0))

    def send(self, data: bytes) -> int:
        """Sends all of it. Raises OSError where the peer is gone, or took nothing for ten seconds."""
        with self._sending:
            self._connection.sendall(data)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class Wakeable(threading.Event):
    """An event whose waiter can be woken for another reason: `wait` then returns False, as after its timeout."""

    def __init__(self) -> None:
        super().__init__()
        self._nudged = threading.Event()

    def set(self) -> None:
        """Wakes the waiter for the event itself."""
        super().set()
        self._nudged.set()

    def nudge(self) -> None:
        """Wakes the waiter, now or at its next wait, though the event has not happened."""
        self._nudged.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the event was set or somebody nudges; True in the first case alone."""
        if not self.is_set():
            self._nudged.wait(timeout)
            self._nudged.clear()
        return self.is_set()


def part(ws: Any) -> None:
    """Ends a socket's connection for good: the peer has a second to close its side, then it is cut off.

    Without that the server itself would wait for a silent peer, in the one thread that accepts connections.
    """
    ws.thread.join(PARTING_S)
    if ws.thread.is_alive():
        with contextlib.suppress(OSError):
            ws.sock.shutdown(socket.SHUT_RDWR)


class ReadingThread(threading.Thread):
    """The thread that reads from a socket's peer. No exit of the process waits for it, and its end wakes the socket's
    own thread: simple-websocket forgets that where a message was too big."""

    def __init__(self, target: Callable[[], None]) -> None:
        super().__init__(target=target, daemon=True)
        self._ended: Callable[[], None] = target.__self__.event.set  # type: ignore[attr-defined]

    def run(self) -> None:
        """Reads until the connection ends."""
        try:
            super().run()
        finally:
            self._ended()
