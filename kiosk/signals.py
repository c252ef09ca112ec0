"""Waits for the order to end: SIGTERM, Ctrl-C, or the failure of a part of the process.

A lock or an event cannot wait for a signal. The kernel may deliver it to any thread. The main thread alone runs
Python's handlers, and would sleep on. The byte that the interpreter writes to a socket wakes the main thread.
"""

import select
import signal
import socket


class StopSignal:
    """The signal to stop of one process. Made in the main thread."""

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
