"""Another process of the machine that takes as much of the page's server as it can get, until it is ended.

Half of its connections say nothing. The others begin a request, and send a byte now and then. One that is cut is opened
again. `python -m tests.kiosk.ui.hostile PORT NUMBER` prints a line when all of them were open.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import time

BEGUN = b"POST /api/v1/actions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


class Hostile:
    """The connections to one port."""

    def __init__(self, port: int, number: int) -> None:
        self._port = port
        self._open = [self._another(slow=bool(each % 2)) for each in range(number)]

    def go_on(self) -> None:
        """Sends a byte on every second connection, and opens those again that were cut."""
        for number, connection in enumerate(self._open):
            slow = bool(number % 2)
            try:
                if slow:
                    connection.send(b"x")
                elif connection.recv(1, socket.MSG_DONTWAIT) == b"":
                    raise ConnectionResetError
            except BlockingIOError:
                continue
            except OSError:
                connection.close()
                self._open[number] = self._another(slow=slow)

    def _another(self, *, slow: bool) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port))
        if slow:
            with contextlib.suppress(OSError):
                connection.send(BEGUN)
        return connection


if __name__ == "__main__":
    hostile = Hostile(int(sys.argv[1]), int(sys.argv[2]))
    for turn in itertools.count():
        hostile.go_on()
        if turn == 0:
            print("open", flush=True)
        time.sleep(0.05)
