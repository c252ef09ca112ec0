"""Who hears of a change: told after its commit, never before, and never so that the teller waits.

In one process this is a condition and a list; on PostgreSQL a listening thread hands the same `Change`s to `announce`.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """A patient's state changed: the change number that it took, and the action behind it, if one was."""

    number: int
    patient_id: str
    action: str | None = None
    action_id: str | None = None


Listener = Callable[[Change], None]


class News:
    """Hands changes on to those who listen to a patient, and wakes those who wait for any change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard = threading.Condition(self._lock)
        self._latest = 0
        self._closed = False
        self._listeners: dict[str, list[Listener]] = {}

    def announce(self, changes: Sequence[Change]) -> None:
        """Tells everybody. Listeners are called in this thread, so they must only leave a note."""
        with self._lock:
            calls = [
                (listener, change) for change in changes for listener in self._listeners.get(change.patient_id, ())
            ]
            self._latest = max([self._latest, *(change.number for change in changes)])
            self._heard.notify_all()
        for listener, change in calls:
            listener(change)

    @contextmanager
    def listen(self, patient_id: str, listener: Listener) -> Iterator[None]:
        """Calls `listener` with each change of the patient while the context is open."""
        with self._lock:
            self._listeners.setdefault(patient_id, []).append(listener)
        try:
            yield
        finally:
            with self._lock:
                remaining = self._listeners[patient_id]
                remaining.remove(listener)
                if not remaining:
                    del self._listeners[patient_id]

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
