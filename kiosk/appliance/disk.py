"""What is wrong with the kiosk's database file and the disk under it, in words for `kiosk status`."""

from pathlib import Path

from kiosk.store.sqlite import Store
from sync.database_file import LOW_BYTES, free_bytes


def disk_faults(store: Store) -> list[str]:
    """The faults of an open store's file, and of the disk under it. The reception knows whether it takes writes."""
    damage = f"{store.damage}: kiosk outbox --set-aside FILE saves its actions, and the next start refuses it"
    return [*([damage] if store.damage else []), *room_faults(store.path)]


def room_faults(database: Path) -> list[str]:
    """The fault of a file system on which little room is left; none where there is enough."""
    try:
        free = free_bytes(database)
    except OSError as error:
        return [f"the disk does not answer: {error.strerror}"]
    if free >= LOW_BYTES:
        return []
    return [f"the disk has {free // 2**20} MiB left: make room, at least {LOW_BYTES // 2**20} MiB"]
