"""What is wrong with the kiosk's database file and the disk under it, in words for `kiosk status`."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from kiosk.store.damage import kept_files
from kiosk.store.salvage import last_salvage
from kiosk.store.sqlite import Store
from sync.database_file import LOW_BYTES, free_bytes


def disk_faults(store: Store) -> list[str]:
    """The faults of an open store's file, and of the disk under it. The reception knows whether it takes writes."""
    damage = f"{store.damage}: restart the kiosk, which recovers what can be read"
    with store.read() as db:
        kept = list(kept_faults(store.path, db))
    return [*([damage] if store.damage else []), *kept, *room_faults(store.path)]


def kept_faults(database: Path, connection: sqlite3.Connection) -> Iterator[str]:
    """The damaged and the stray files that lie beside a database, until an operator removes them."""
    kept = kept_files(database)
    if kept:
        found = last_salvage(connection)
        said = f"the database was damaged: {found}" if found else "another database lay in the place of this one"
        yield f"{said}; remove {kept[0]} and its log when nobody needs them"


def room_faults(database: Path) -> list[str]:
    """The fault of a file system on which little room is left; none where there is enough."""
    try:
        free = free_bytes(database)
    except OSError as error:
        return [f"the disk does not answer: {error.strerror}"]
    if free >= LOW_BYTES:
        return []
    return [f"the disk has {free // 2**20} MiB left: make room, at least {LOW_BYTES // 2**20} MiB"]
