"""Hands news from the thread that committed it to every connected screen.

Each subscriber holds one slot: the newest value wins, since every value is whole. A slow browser can therefore never
make a tap wait, nor hold memory.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestSlot(Generic[T]):
    """One subscriber's place: `put` never blocks, `take` waits for something newer than what was taken before."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self._closed = False

    def put(self, value: T) -> None:
        """Leaves a value for the subscriber; one not yet taken is replaced."""
        with self._changed:
            self._value = value
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> T | None:
        """The newest value, once there is one; None after `timeout_s` seconds or when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._value is not None or self._closed, timeout_s)
            value, self._value = self._value, None
            return value

    def close(self) -> None:
        """Wakes the subscriber for the last time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed


class Broadcast(Generic[T]):
    """The subscribers of one kind of news. Publishing costs a lock and a wake-up each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: set[LatestSlot[T]] = set()
        self._closed = False

    def publish(self, value: T) -> None:
        """Leaves the value in every subscriber's slot."""
        with self._lock:
            for slot in self._slots:
                slot.put(value)

    @contextmanager
    def subscribe(self) -> Iterator[LatestSlot[T]]:
        """A slot that receives what is published while the context is open."""
        slot: LatestSlot[T] = LatestSlot()
        with self._lock:
            if self._closed:
                slot.close()
            self._slots.add(slot)
        try:
            yield slot
        finally:
            with self._lock:
                self._slots.discard(slot)

    def close(self) -> None:
        """Ends every subscription, and every later one at once: the daemon is stopping."""
        with self._lock:
            self._closed = True
            for slot in self._slots:
                slot.close()
