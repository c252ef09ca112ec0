"""A request as a stream of bytes that has one deadline, however its sender divides it."""

import io
import socket
import time
from typing import Any


class RequestStream(io.RawIOBase):
    """What a connection sends until `deadline` (monotonic, seconds). After it, only what is there already."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        super().__init__()
        self._connection = connection
        # A stream of the socket's own: a thread that closes the connection leaves its file descriptor to this one.
        self._bytes = connection.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Reads what comes next. Raises TimeoutError where nothing comes before the deadline."""
        usual_s = self._connection.gettimeout()
        self._connection.settimeout(max(self._deadline - time.monotonic(), 0.001))
        try:
            return self._bytes.readinto(buffer)
        finally:
            # The answer, and the messages of a socket, have a time of their own.
            self._connection.settimeout(usual_s)

    def close(self) -> None:
        """Lets go of the connection."""
        self._bytes.close()
        super().close()
