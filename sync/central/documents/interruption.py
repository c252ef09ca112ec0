"""Ctrl-C and SIGTERM while a document is read and taken. A request under way gets its answer first."""

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
    """Whether the command was asked to end. Until `defer`, a signal ends it at once."""

    def __init__(self) -> None:
        self._deferred = False
        self._signum: int | None = None

    def defer(self) -> None:
        """From now on a signal waits for `check`, and a second one ends the command at once."""
        self._deferred = True

    def check(self) -> None:
        """Raises Interrupted where a signal waits. It is called where no request is under way."""
        if self._signum is not None:
            raise Interrupted(self._signum)

    def take(self, signum: int, _: FrameType | None) -> None:
        """Takes a signal. Raises Interrupted where it does not wait."""
        if not self._deferred or self._signum is not None:
            raise Interrupted(signum)
        self._signum = signum


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Takes the place of the handlers of Ctrl-C and SIGTERM, until the end of the block."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption  # Signals go to the main thread alone.
        return
    before = {each: signal.signal(each, interruption.take) for each in _SIGNALS}
    try:
        yield interruption
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
