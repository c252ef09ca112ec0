"""Waits for the order to end: SIGTERM, Ctrl-C, or the failure of a part of the process.

The kernel may deliver a signal to any thread, and only the main thread runs Python's handlers. A main thread that waits
on a lock would sleep on. So the interpreter writes a byte to a socket, and the main thread waits on that socket.
"""

import select
import signal
import socket


class StopSignal:
    """The order to stop, for one process. The main thread creates it."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the signal, at most `timeout_s` seconds. Returns whether it has come."""
        return bool(select.select([self._reader], [], [], timeout_s)[0])

    def send(self) -> None:
        """Sends the signal. May be called from any thread."""
        self._writer.send(b"\0")
