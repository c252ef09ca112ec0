"""Calls of the feed that wait for events, and the one thread that answers them.

The news of a commit wakes it, also the news of other processes and hosts.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sync.central.store.news import News

log = logging.getLogger(__name__)

MOST_WAITING = 32
LONGEST_WAIT_S = 25.0  # a proxy gives a call 30 seconds at least
_GATHER_S = 0.1  # after the first news, so that a busy centre reads for several events at once
_IDLE_S = 1.0  # the thread ends where no call has waited for so long


@dataclass(frozen=True, slots=True, eq=False)
class WaitingReader:
    """A call that waits. `answer` tries to answer it, and says whether it has; `is_last`: it answers in any case.

    `until_s` is the end of its wait on the monotonic clock.
    """

    answer: Callable[[bool], bool]
    until_s: float


class FeedWaits:
    """The calls that wait. The thread lives while there are calls."""

    def __init__(self, news: News, most: int = MOST_WAITING) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._waiting: list[WaitingReader] = []
        self._has_news = False
        self._is_closing = False
        self._thread: threading.Thread | None = None
        news.follow(self._hear, self._close)

    def enter(self, reader: WaitingReader) -> bool:
        """Lets a call wait. False where too many do, or where the service ends. It is tried at once."""
        with self._changed:
            if self._is_closing or len(self._waiting) >= self._most:
                return False
            self._waiting.append(reader)
            self._has_news = True  # what was committed since the call has read
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()
            return True

    def leave(self, reader: WaitingReader) -> None:
        """Drops a call whose client has left."""
        with self._changed:
            if reader in self._waiting:
                self._waiting.remove(reader)

    def _hear(self) -> None:
        with self._changed:
            if self._waiting and not self._has_news:
                self._has_news = True
                self._changed.notify()

    def _close(self) -> None:
        with self._changed:
            self._is_closing = True
            self._changed.notify()

    def _run(self) -> None:
        while self._wait():
            if not self._is_closing:
                time.sleep(_GATHER_S)
            with self._changed:
                tried, self._has_news = list(self._waiting), False
            for reader in tried:
                is_last = self._is_closing or time.monotonic() >= reader.until_s
                if self._is_answered(reader, is_last=is_last):
                    self.leave(reader)

    def _is_answered(self, reader: WaitingReader, *, is_last: bool) -> bool:
        try:
            return reader.answer(is_last)
        except Exception:
            log.exception("a call of the feed was not answered")
            return True

    def _wait(self) -> bool:
        """Waits until there is something to do. False where no call has come for a while."""
        with self._changed:
            idle_until_s = time.monotonic() + _IDLE_S
            while True:
                now_s = time.monotonic()
                due_s = min((each.until_s for each in self._waiting), default=math.inf)
                if self._waiting and (self._has_news or self._is_closing or due_s <= now_s):
                    return True
                if not self._waiting and (self._is_closing or now_s >= idle_until_s):
                    self._thread = None
                    return False
                self._changed.wait((due_s if self._waiting else idle_until_s) - now_s)
