"""A thread that runs the calls handed to it, one at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class WorkThread:
    """Takes the place of a thread of the daemon: the hand-over to it is part of what is measured."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hand(self, call: Callable[[], object]) -> None:
        """Hands a call over, and does not wait for it."""
        self._calls.put(call)

    def close(self) -> None:
        """Ends the thread after the calls that wait."""
        self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
