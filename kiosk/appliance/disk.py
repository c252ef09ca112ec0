"""What is wrong with the disk under the kiosk's store, in words for `kiosk status`."""

import sqlite3
from pathlib import Path

from kiosk.store.sqlite import Store
from sync.database_file import LOW_BYTES, free_bytes


def disk_faults(store: Store) -> list[str]:
    """The faults of an open store and of the disk under it. A small write is tried: a full disk still reads."""
    faults = room_faults(store.path)
    if store.damage:
        faults.insert(
            0, f"{store.damage}: kiosk outbox --set-aside FILE saves its actions, and the next start refuses it"
        )
    try:
        store.probe()
    except sqlite3.Error as error:
        # The message of an SQLite error names tables at most, never their content.
        faults.insert(0, f"no tap can be saved: {error}")
    return faults


def room_faults(database: Path) -> list[str]:
    """The fault of a file system on which little room is left; none where there is enough."""
    try:
        free = free_bytes(database)
    except OSError as error:
        return [f"the disk does not answer: {error.strerror}"]
    if free >= LOW_BYTES:
        return []
    return [f"the disk has {free // 2**20} MiB left: make room, at least {LOW_BYTES // 2**20} MiB"]
