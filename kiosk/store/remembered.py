"""What was read of the store, until somebody writes it.

The store has one connection, under one lock. So what was read stays right as long as no transaction has begun since.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from kiosk.store.sqlite import Store

T = TypeVar("T")

_MOST = 32  # values; one person's screen needs a handful


class Remembered:
    """Values by their keys. To be used only while the store is held, and in no transaction that has written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = store.version
        self._values: dict[Hashable, Any] = {}

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """Returns the value of a key; reads it where it is not known, or no longer sure."""
        self._forget_old()
        if key not in self._values:
            self.put(key, read())
        value: T = self._values[key]
        return value

    def put(self, key: Hashable, value: object) -> None:
        """Keeps a value that is as in the store now."""
        self._forget_old()
        if len(self._values) >= _MOST:
            self._values.clear()
        self._values[key] = value

    def _forget_old(self) -> None:
        if self._version != self._store.version:
            self._values.clear()
            self._version = self._store.version
