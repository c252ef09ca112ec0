"""A lock that threads get in the order of their requests."""

import threading
from collections import deque
from types import TracebackType


class FairLock:
    """A re-entrant lock for `with`, first come, first served.

    The standard library's lock lets the thread that releases it take it again at once. A long piece of work in portions
    would then shut out a tap.
    """

    def __init__(self) -> None:
        self._state = threading.Lock()
        self._owner = 0
        self._depth = 0
        self._queue: deque[tuple[int, threading.Lock]] = deque()  # waiting threads, each with its gate

    @property
    def is_wanted(self) -> bool:
        """Whether a thread waits for the lock."""
        return bool(self._queue)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self, patience_s: float | None = None) -> bool:
        """Waits for the lock, and takes it; returns False where `patience_s` seconds have passed first.

        An exception that ends the wait leaves it to the others.
        """
        thread_id = threading.get_ident()
        with self._state:
            if self._owner in (0, thread_id):
                self._owner, self._depth = thread_id, self._depth + 1
                return True
            gate = threading.Lock()
            gate.acquire()
            self._queue.append((thread_id, gate))
        try:
            if gate.acquire(timeout=-1 if patience_s is None else patience_s):
                return True
        except BaseException:  # Ctrl-C in the main thread: no lock for a thread that has stopped waiting
            self._stop_waiting(thread_id, gate)
            raise
        with self._state:
            if (thread_id, gate) not in self._queue:
                return True  # it came at the last moment
            self._queue.remove((thread_id, gate))
            return False

    def release(self) -> None:
        """Gives the lock to the thread that has waited longest."""
        with self._state:
            self._depth -= 1
            if not self._depth:
                self._hand_over()

    def _stop_waiting(self, thread_id: int, gate: threading.Lock) -> None:
        with self._state:
            if (thread_id, gate) in self._queue:
                self._queue.remove((thread_id, gate))
            else:
                self._hand_over()

    def _hand_over(self) -> None:
        self._owner = 0
        if self._queue:
            self._owner, gate = self._queue.popleft()
            self._depth = 1
            gate.release()
