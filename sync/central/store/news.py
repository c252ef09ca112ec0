"""News of committed changes. The writer announces them after the commit, and never waits for a listener.

Within one process this is a condition variable and lists of listeners. With PostgreSQL a thread that listens to the
database hands the same news to `announce`.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PatientChanged:
    """A patient's state changed: its change number, and the action behind the change where there was one."""

    number: int
    patient_id: str
    action: str | None = None
    action_id: str | None = None

    @property
    def topic(self) -> str:
        """The patient's id."""
        return self.patient_id


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """A token is no longer valid."""

    token_hash: str
    number: int = 0

    @property
    def topic(self) -> str:
        """The token's hash."""
        return self.token_hash


@dataclass(frozen=True, slots=True)
class VerdictRevised:
    """A verdict was revised. It has no listeners of its own, and wakes the pulls that wait."""

    number: int
    topic: str = ""


@dataclass(frozen=True, slots=True)
class BlockChanged:
    """A card was blocked or unblocked. It has no listeners of its own, and wakes the pulls that wait."""

    number: int
    topic: str = ""


NewsItem = PatientChanged | TokenRevoked | VerdictRevised | BlockChanged
Listener = Callable[[NewsItem], None]


class News:
    """Passes changes to their listeners, and wakes the threads that wait for any change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._latest = 0
        self._closed = False
        self._listeners: dict[str, list[Listener]] = {}

    def announce(self, items: Sequence[NewsItem]) -> None:
        """Passes the items to their listeners. Listeners run in this thread, so they must not block."""
        with self._lock:
            calls = [(listener, item) for item in items for listener in self._listeners.get(item.topic, ())]
            self._latest = max(self._latest, *(item.number for item in items))
            self._changed.notify_all()
        for listener, item in calls:
            listener(item)

    @contextmanager
    def listen(self, topic: str, listener: Listener) -> Iterator[None]:
        """Calls `listener` with each item on the topic (a patient's id, a token's hash) while the context is open."""
        with self._lock:
            self._listeners.setdefault(topic, []).append(listener)
        try:
            yield
        finally:
            with self._lock:
                remaining = self._listeners[topic]
                remaining.remove(listener)
                if not remaining:
                    del self._listeners[topic]

    def wait(self, after: int, timeout_s: float) -> bool:
        """Waits for a change above `after`. False when the time is up or the service stops first.

        Changes from before the start of this process are not counted here, so the caller asks the store first.
        """
        with self._lock:
            self._changed.wait_for(lambda: self._latest > after or self._closed, timeout_s)
            return self._latest > after

    def close(self) -> None:
        """Wakes all waiting threads. Later waits return at once."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()
