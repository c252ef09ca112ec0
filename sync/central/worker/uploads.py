"""The body of an upload, as a file that blocks until its next part has come."""

import io
import queue
from collections.abc import Callable

from sync.central.frames import Part

_GONE = Part(0, b"", is_broken=True)


class Upload(io.RawIOBase):
    """Reads a body part by part. `want` asks the gateway for the next part. Read by one thread."""

    def __init__(self, want: Callable[[], None]) -> None:
        super().__init__()
        self._want = want
        self._parts: queue.SimpleQueue[Part] = queue.SimpleQueue()
        self._left = memoryview(b"")
        self._has_ended = False

    def take(self, part: Part) -> None:
        """The next part has come. From any thread."""
        self._parts.put(part)

    def end(self) -> None:
        """The client has left."""
        self._parts.put(_GONE)

    def readable(self) -> bool:
        """It is a file to read."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fills the buffer with what has come. Returns 0 at the end. Raises ConnectionError where there is no end."""
        if not self._left and not self._has_ended:
            self._want()
            part = self._parts.get()
            if part.is_broken:
                raise ConnectionAbortedError("the client has left in the middle of its body")
            self._left = memoryview(part.content)
            self._has_ended = not part.content
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size
