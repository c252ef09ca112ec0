"""Waits in a test for what a background thread of the centre changes."""

from __future__ import annotations

import threading

from sync.central.store.news import News


class Hearing:
    """Hears of changes from its making on."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._changed = threading.Condition()
        news.follow(self._hear, self._hear)

    def wait(self, after: int, timeout_s: float) -> bool:
        """Whether a change above `after` has come in that time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._news.latest > after, timeout_s)

    def _hear(self) -> None:
        with self._changed:
            self._changed.notify_all()
