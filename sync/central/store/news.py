"""Who hears of a change: told after its commit, never before, and never so that the teller waits.

In one process this is a condition and a list; on PostgreSQL a listening thread hands the same notes to `announce`.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PatientChanged:
    """A patient's state changed: the change number that it took, and the action behind it, if one was."""

    number: int
    patient_id: str
    action: str | None = None
    action_id: str | None = None

    @property
    def topic(self) -> str:
        """What one listens to, to hear of this."""
        return self.patient_id


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """A token is worth nothing any more."""

    token_hash: str
    number: int = 0

    @property
    def topic(self) -> str:
        """What one listens to, to hear of this."""
        return self.token_hash


@dataclass(frozen=True, slots=True)
class VerdictRevised:
    """A verdict was given anew. Nobody listens to that in particular; it wakes the pulls that wait."""

    number: int
    topic: str = ""


NewsItem = PatientChanged | TokenRevoked | VerdictRevised
Listener = Callable[[NewsItem], None]


class News:
    """Hands changes on to those who listen to them, and wakes those who wait for any change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard = threading.Condition(self._lock)
        self._latest = 0
        self._closed = False
        self._listeners: dict[str, list[Listener]] = {}

    def announce(self, notes: Sequence[NewsItem]) -> None:
        """Tells everybody whom it concerns. Listeners are called in this thread, so they must only leave a note."""
        with self._lock:
            calls = [(listener, note) for note in notes for listener in self._listeners.get(note.topic, ())]
            self._latest = max(self._latest, *(note.number for note in notes))
            self._heard.notify_all()
        for listener, note in calls:
            listener(note)

    @contextmanager
    def listen(self, topic: str, listener: Listener) -> Iterator[None]:
        """Calls `listener` with each note on the topic (a patient's id, a token's hash) while the context is open."""
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
        """Waits until a change above `after` was announced; False when the time is up or the service stops.

        Changes announced before this process started are not known here, so ask the store first.
        """
        with self._lock:
            self._heard.wait_for(lambda: self._latest > after or self._closed, timeout_s)
            return self._latest > after

    def close(self) -> None:
        """Wakes everybody who waits, for the last time."""
        with self._lock:
            self._closed = True
            self._heard.notify_all()
