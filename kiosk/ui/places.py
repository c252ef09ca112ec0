"""Who is served at a time: the kiosk's own browser in places of its own, and all others in a few."""

import socket
import threading
from contextlib import suppress


class Places:
    """The connections that are served, each by a thread.

    At most `own` are of the kiosk's browser, and nobody else takes their places. Of strangers, a newcomer ends the
    oldest where `strangers` are served. At most twice as many hold a thread, those that end among them.
    """

    def __init__(self, own: int, strangers: int) -> None:
        self._own_limit = own
        self._strangers_limit = strangers
        self._changed = threading.Condition()
        self._own: set[socket.socket] = set()
        self._strangers: dict[socket.socket, bool] = {}  # oldest first; whether it was told to end

    @property
    def count(self) -> int:
        """How many connections hold a thread."""
        return len(self._own) + len(self._strangers)

    def enter(self, connection: socket.socket, *, is_own: bool) -> bool:
        """Takes a place. Returns False where there is none."""
        with self._changed:
            if is_own:
                if len(self._own) >= self._own_limit:
                    return False
                self._own.add(connection)
                return True
            if len(self._strangers) >= 2 * self._strangers_limit:
                return False
            served = [each for each, is_ending in self._strangers.items() if not is_ending]
            if len(served) >= self._strangers_limit:
                self._strangers[served[0]] = True
                _cut(served[0], socket.SHUT_RDWR)
            self._strangers[connection] = False
            return True

    def leave(self, connection: socket.socket) -> None:
        """Gives the place of a connection back."""
        with self._changed:
            self._own.discard(connection)
            self._strangers.pop(connection, None)
            self._changed.notify_all()

    def cut(self, direction: int) -> None:
        """Ends every connection in a direction."""
        with self._changed:
            for connection in (*self._own, *self._strangers):
                _cut(connection, direction)

    def await_end(self, timeout_s: float) -> bool:
        """Waits until nobody is served. Returns False after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.count, timeout_s)


def _cut(connection: socket.socket, direction: int) -> None:
    with suppress(OSError):
        connection.shutdown(direction)
