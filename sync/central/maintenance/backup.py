"""Backups of the centre's database: made by the database's own means while the service runs, and verified.

The live database records how far a verified backup holds each kiosk's chain. The answer to every push and pull says so,
and the kiosk keeps all actions that no backup holds. The key file is not part of a backup: database and keys together
would reveal the cards.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sync.central.records.chains import Chain, note_backed_up
from sync.central.store.errors import StoreError
from sync.central.store.interface import Store
from sync.central.store.place import Place
from sync.central.store.transactions import ReadTransaction
from sync.control import socket_path
from sync.durable import sync_path


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup: its size in bytes, the last change number in it, and the number of kiosks' chains in it."""

    size: int
    change: int
    chains: int


def back_up(store: Store, file: Path) -> Backup:
    """Writes the database into `file`. An earlier file is replaced only by a backup that was opened and checked.

    Raises StoreError where the backup cannot be written, or is damaged.
    """
    _refuse_own_files(store.place, file)
    part = file.with_name(file.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        change, chains = store.copy_to(part, changes_and_chains)
        sync_path(part)
        part.replace(file)
        sync_path(file.parent)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{file}: no backup was made: {error}") from error
    with store.write() as db:
        for chain in chains:
            note_backed_up(db, chain)
    return Backup(file.stat().st_size, change, len(chains))


def _refuse_own_files(place: Place, file: Path) -> None:
    own = {place.state.with_name(place.state.name + ending) for ending in (".keys", ".opened")}
    own.add(socket_path(place.state))
    if place.file:
        endings = ("", "-wal", "-shm", ".lock", ".stopped")
        own.update(place.file.with_name(place.file.name + ending) for ending in endings)
    if file.is_dir() or any(each.name == file.name and each.parent.resolve() == file.parent.resolve() for each in own):
        raise StoreError(f"{file}: a backup cannot be written there")


def changes_and_chains(db: ReadTransaction) -> tuple[int, list[Chain]]:
    """The last change number of a state, and the kiosks' chains in it."""
    rows = db.rows("select kiosk_id, epoch, last_seq from chains")
    return db.latest_change(), [Chain(row["kiosk_id"], row["epoch"], row["last_seq"]) for row in rows]
