"""Ctrl-C and SIGTERM while a document is taken: the request under way gets its answer first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """An operator or the system asked the command to end, by the signal of this number."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Interruption:
    """Whether the command was asked to end."""

    def __init__(self) -> None:
        self._signum: int | None = None

    def check(self) -> None:
        """Raises Interrupted where the command was asked to end. It is called where nothing is under way."""
        if self._signum is not None:
            raise Interrupted(self._signum)

    def note(self, signum: int, _: FrameType | None) -> None:
        """Takes a signal. A second one does not wait for an answer."""
        if self._signum is not None:
            raise Interrupted(signum)
        self._signum = signum


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Takes the place of the handlers of Ctrl-C and SIGTERM, until the end of the block."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption  # Signals go to the main thread alone.
        return
    before = {each: signal.signal(each, interruption.note) for each in _SIGNALS}
    try:
        yield interruption
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
