"""One WebSocket's connection, shared by the thread that serves it and the thread that reads it.

simple-websocket sends pings and close frames from the reading thread, and messages from any other. Without a lock, and
with a plain `send`, one frame may be cut in two by another.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any, SupportsIndex

SEND_TIMEOUT_S = 10
CLOSING_TIMEOUT_S = 1.0
MAX_WAITING = 32  # messages of a peer that are read before the first is answered


class WholeFrames:
    """A connected socket whose `send` sends all of the data, for one caller at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT_S, 0))

    def send(self, data: bytes) -> int:
        """Sends all of the data. Raises OSError where the peer is gone, or takes nothing for ten seconds."""
        with self._sending:
            self._connection.sendall(data)
        return len(data)

    def close(self) -> None:
        """Ends the connection for both ends, and for every thread that waits on it.

        A mere `close` does neither while the web server's own files on the connection are open.
        """
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

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
        """Waits until the event is set or the waiter is nudged; True where the event is set."""
        if not self.is_set():
            self._nudged.wait(timeout)
            self._nudged.clear()
        return self.is_set()


class ReadingThread(threading.Thread):
    """The thread that reads from a socket's peer: simple-websocket's `thread_class`.

    It reads no further than the messages that may wait, and it does not delay the exit of the process. Its end wakes
    the serving thread: after a message that is too big, simple-websocket does not.
    """

    def __init__(self, target: Callable[[], None]) -> None:
        super().__init__(target=target, daemon=True)
        self._websocket: Any = target.__self__  # type: ignore[attr-defined]
        self._websocket.input_buffer = BoundedMessages(self._websocket.input_buffer)

    def run(self) -> None:
        """Reads until the connection ends."""
        try:
            super().run()
        finally:
            self._websocket.connected = False
            self._websocket.event.set()


class BoundedMessages(list[str | bytes]):
    """The messages that wait to be answered. While it is full, the reading thread waits, and TCP makes the peer wait.

    So a burst is answered in turn and nothing of it is lost. A flood takes no more memory than a full list.
    """

    def __init__(self, messages: Iterable[str | bytes] = ()) -> None:
        super().__init__(messages)
        self._changed = threading.Condition()
        self._ended = False

    def append(self, message: str | bytes) -> None:
        """Adds a message once there is room. Raises OSError where no more are answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self) < MAX_WAITING)
            if self._ended:
                raise ConnectionAbortedError("the socket answers no more messages")
            super().append(message)

    def pop(self, index: SupportsIndex = -1) -> str | bytes:
        """Removes and returns a message. Raises IndexError where none waits."""
        with self._changed:
            message = super().pop(index)
            self._changed.notify_all()
        return message

    def end(self) -> None:
        """Wakes a reading thread that waits for room. No more messages are answered."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def end_connection(websocket: Any) -> None:
    """Ends a socket's connection. The peer has a second to close its side.

    Without that, the web server itself waits for a silent peer, in the one thread that accepts connections.
    """
    websocket.input_buffer.end()
    websocket.thread.join(CLOSING_TIMEOUT_S)
    websocket.sock.close()
