"""Work that may wait until a thread has answered its call.

A thread that has acted wakes the sockets of its patient itself, once the actor has the answer. A hand-over to another
thread would cost more than the message, and that thread would run before the answer has left.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

_THREADS = 2  # for work that no call brings
Work = Callable[[], object]


class Afterwork:
    """The work that waits. May be used from any thread."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "socket")
        self._of_this_thread = threading.local()

    @contextmanager
    def after_call(self) -> Iterator[None]:
        """What this thread submits within the context is done by it at the end."""
        waiting: list[Work] = []
        self._of_this_thread.due = waiting
        try:
            yield
        finally:
            self._of_this_thread.due = None
            for work in waiting:
                work()

    def submit(self, work: Work) -> None:
        """Has work done soon. Raises RuntimeError where the process ends."""
        waiting: list[Work] | None = getattr(self._of_this_thread, "due", None)
        if waiting is None:
            self._pool.submit(work)
        else:
            waiting.append(work)
