"""Waits for the end: SIGTERM, Ctrl-C, or a part that says so.

A lock or an event is no place to wait for a signal: the kernel may hand it to any thread, and then the main thread,
which alone runs Python's handlers, sleeps on. The byte that the interpreter writes to a socket wakes it whoever was
interrupted.
"""

import select
import signal
import socket


class StopSignal:
    """One end of one process. To be made in its main thread."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._far.setblocking(False)
        signal.set_wakeup_fd(self._far.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it has come; returns when it has, or after `timeout_s` seconds."""
        return bool(select.select([self._near], [], [], timeout_s)[0])

    def come(self) -> None:
        """It has come. May be called from any thread."""
        self._far.send(b"\0")
