"""Hands each new value from the thread that made it to every subscriber.

A subscriber has one slot, and a newer value replaces the value in it, since every value is complete. So a slow browser
neither delays a tap nor takes memory.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestSlot(Generic[T]):
    """The slot of one subscriber. `put` never blocks; `take` waits for a value newer than the last one taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self._closed = False

    def put(self, value: T) -> None:
        """Puts a value into the slot. It replaces a value that was not taken."""
        with self._changed:
            self._value = value
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> T | None:
        """Waits for the newest value and returns it; None after `timeout_s` seconds or when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._value is not None or self._closed, timeout_s)
            value, self._value = self._value, None
            return value

    def close(self) -> None:
        """Closes the slot and wakes the subscriber."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether the slot gets no further values."""
        return self._closed


class Broadcast(Generic[T]):
    """The subscribers of one kind of value. Publishing costs one lock and one wake-up per subscriber."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: set[LatestSlot[T]] = set()
        self._closed = False

    def publish(self, value: T) -> None:
        """Puts the value into every subscriber's slot."""
        with self._lock:
            for slot in self._slots:
                slot.put(value)

    @contextmanager
    def subscribe(self) -> Iterator[LatestSlot[T]]:
        """Yields a slot that receives the values published while the context is open."""
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
        """Closes every slot, and each later slot at its creation, since the daemon is stopping."""
        with self._lock:
            self._closed = True
            for slot in self._slots:
                slot.close()
