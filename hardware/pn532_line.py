"""A serial line to a PN532 that costs little while nothing comes.

nfcpy reads each frame through pyserial in two or three parts, and sets the line up again for each. Asked many times a
second, that was most of what an idle reader cost.
"""

import errno
import os
import select
import termios
import time
from typing import Any

from nfc.clf.pn532 import Chipset
from nfc.clf.transport import TTY

_LEAST_S = 0.05
_CHUNK = 512


class Pn532Line:
    """Takes the place of nfcpy's reading and writing on a line that nfcpy has opened. A read is one frame there too."""

    def __init__(self, transport: TTY) -> None:
        self._descriptor: int = transport.tty.fileno()
        self._received = bytearray()
        self._is_clean = False  # nothing but whole frames came since the last one was sent
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def write(self, frame: bytes) -> None:
        """Forgets what came before, and sends a frame. Raises OSError or termios.error."""
        if self._received or not self._is_clean:
            self._received.clear()
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
        self._is_clean = False
        while frame:
            frame = frame[os.write(self._descriptor, frame) :]

    def read(self, timeout_ms: int) -> bytearray:
        """The next frame, or the part of it that came in time. Raises OSError, ETIMEDOUT where nothing came."""
        until_s = time.monotonic() + max(timeout_ms / 1000, _LEAST_S)
        while (size := self._size()) > len(self._received):
            if not self._poll.poll(max(0.0, until_s - time.monotonic()) * 1000):
                break
            chunk = os.read(self._descriptor, _CHUNK)
            if not chunk:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self._received += chunk
        if not self._received:
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        self._is_clean = len(self._received) == size
        frame = self._received[:size]
        del self._received[:size]
        return frame

    def _size(self) -> int:
        """The size of the frame at the beginning, as far as can be told by now (PN532 user manual, 6.2.1)."""
        received = self._received
        least = len(Chipset.ACK)
        if len(received) < least or received.startswith(Chipset.ACK):
            return least
        if received[3] != 0xFF:
            return 7 + received[3]
        return 10 + int.from_bytes(received[5:7], "big") if len(received) >= 7 else 9


def relieve(chipset: Any) -> None:
    """Gives a PN532 on a serial line the line above; leaves any other chipset as it is."""
    transport = getattr(chipset, "transport", None)
    if isinstance(transport, TTY) and isinstance(chipset, Chipset):
        line = Pn532Line(transport)
        transport.write, transport.read = line.write, line.read
