"""Whether the disk under the database takes writes, and how much room is left on it.

A service whose disk is full still reads, so only a write tells.
"""

import sqlite3
import threading
import time
from collections.abc import Callable

import msgspec

from sync.central.store.errors import Trouble, trouble_of
from sync.central.store.interface import Store
from sync.database_file import FULL_BYTES, LOW_BYTES

FRESH_S = 5.0
_TRIES = "write_tries"  # the name of a counter: a row with the value that it has would write nothing


class Disk(msgspec.Struct, frozen=True):
    """The state of the disk: what keeps the database from writing (None: nothing), and the free bytes.

    `free_bytes` is None where the disk is another machine's. `is_low`: too few bytes are left to go on for long.
    """

    trouble: Trouble | None
    free_bytes: int | None
    is_low: bool

    @property
    def ok(self) -> bool:
        """Whether nobody has to act."""
        return self.trouble is None and not self.is_low


def look_at_disk(store: Store) -> Disk:
    """The state of the disk now, by a write. Raises OSError where the file system does not answer."""
    free = store.free_bytes()
    return Disk(write_trouble(store), free, free is not None and free < LOW_BYTES)


def write_trouble(store: Store) -> Trouble | None:
    """What keeps the database from writing, by one small commit; None where nothing does.

    A disk without room counts as full. The log may have room for this commit, and not for the next one.
    """
    try:
        free = store.free_bytes()
        if free is not None and free < FULL_BYTES:
            return Trouble.DISK_FULL
    except OSError:
        return Trouble.DISK_FAILS
    try:
        with store.write() as db:
            db.set_counter(_TRIES, (db.counter(_TRIES) or 0) + 1)
    except sqlite3.Error as error:
        return trouble_of(error)
    return None


class WriteWatch:
    """What keeps the database from writing, as of the last seconds: anybody may ask as often as they like."""

    def __init__(self, store: Store, fresh_s: float = FRESH_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        """A write is tried where the last try is older than `fresh_s`."""
        self._store = store
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._trouble: Trouble | None = None
        self._until_s = float("-inf")

    def trouble(self) -> Trouble | None:
        """What keeps the database from writing; None where nothing does. One caller tries, and no other waits."""
        if self._monotonic() >= self._until_s and self._lock.acquire(blocking=False):
            try:
                self._trouble = write_trouble(self._store)
                self._until_s = self._monotonic() + self._fresh_s
            finally:
                self._lock.release()
        return self._trouble
