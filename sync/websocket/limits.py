"""How many WebSockets may be open, and how all of them end at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sync.websocket.connection import Wakeable


class SocketLimits:
    """The open sockets, at most `limit`. Each holds a thread for its life, so plain requests always find a thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open_count = 0
        self._served: set[Wakeable] = set()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether every socket is to end now."""
        return self._stopping

    @property
    def open_count(self) -> int:
        """The number of open sockets."""
        return self._open_count

    def enter(self) -> bool:
        """Takes the place of one socket; False where no place is free."""
        with self._lock:
            if self._open_count >= self._limit:
                return False
            self._open_count += 1
            return True

    def leave(self) -> None:
        """Gives a place back."""
        with self._lock:
            self._open_count -= 1

    @contextmanager
    def serving(self, wake: Wakeable) -> Iterator[None]:
        """Lets `stop()` wake a socket's thread while the context is open."""
        with self._lock:
            self._served.add(wake)
            if self._stopping:
                wake.nudge()
        try:
            yield
        finally:
            with self._lock:
                self._served.discard(wake)

    def stop(self) -> None:
        """Wakes every socket's thread, which then sees `stopping`."""
        with self._lock:
            self._stopping = True
            for wake in self._served:
                wake.nudge()
