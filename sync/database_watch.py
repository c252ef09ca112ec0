"""A thread that looks after the file of an open database, also while nobody writes."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

LOOK_S = 1.0


class DatabaseWatch:
    """Calls `look` every second, from `start()` to `stop()`. Where it returns true, it calls `end` and ends.

    A look that fails is logged once, and repeated.
    """

    def __init__(self, look: Callable[[], bool], end: Callable[[], None], look_s: float = LOOK_S) -> None:
        self._look = look
        self._end = end
        self._look_s = look_s
        self._failure = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="database watch", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the look under way. May be called twice, and by the thread itself."""
        self._stopped.set()
        if self._thread.ident not in (None, threading.get_ident()):
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._look_s):
            if self._is_over():
                self._end()
                return

    def _is_over(self) -> bool:
        try:
            return self._look()
        except Exception as error:
            if str(error) != self._failure:
                log.critical("the database file: %s", error, exc_info=True)
            self._failure = str(error)
            return False
