"""A WebSocket's connection, such that its two threads do not disturb each other.

simple-websocket sends pings from the thread that reads, and everything else from the one that asked: without a lock and
with plain `send`, a frame may be cut in two by another. Its `event_class` is how a reader can be woken for other news.
"""

import socket
import struct
import threading
from typing import Any

SEND_TIMEOUT_S = 10


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


class DaemonThread(threading.Thread):
    """A thread that no exit of the process waits for: it may be listening to a peer that is long gone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, daemon=True)
