"""Backups of the centre's database: made by SQLite's own backup while the service runs, and verified by opening them.

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
from sync.central.store.sqlite import Store
from sync.central.store.transactions import ReadTransaction
from sync.control import socket_path
from sync.durable import sync_path
from sync.ids import new_id


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
    _refuse_own_files(store.path, file)
    part = file.with_name(file.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        store.copy_to(part)
        mark_as_copy(part)
        change, chains = verify_copy(part)
        sync_path(part)
        part.replace(file)
        sync_path(file.parent)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{file}: no backup was made: {error}") from error
    with store.write() as db:
        for chain in chains:
            note_backed_up(db, Chain(chain["kiosk_id"], chain["epoch"], chain["last_seq"]))
    return Backup(file.stat().st_size, change, len(chains))


def _refuse_own_files(database: Path, file: Path) -> None:
    own = {database.name + ending for ending in ("", "-wal", "-shm", ".lock", ".keys", ".opened", ".stopped")}
    own.add(socket_path(database).name)
    if file.is_dir() or (file.parent.resolve() == database.parent.resolve() and file.name in own):
        raise StoreError(f"{file}: a backup cannot be written there")


def mark_as_copy(part: Path) -> None:
    """Gives a copy an opening id that no marker holds: opened as a database, it is recognised as a restored one."""
    copy = sqlite3.connect(part)
    try:
        with copy:
            copy.execute("update incarnation set opened_id = ?", (f"backup {new_id()}",))
    finally:
        copy.close()


def verify_copy(part: Path) -> tuple[int, list[sqlite3.Row]]:
    """Checks a copy, and returns its last change number and its chains. Raises sqlite3.Error where it is damaged."""
    copy = sqlite3.connect(f"{part.absolute().as_uri()}?mode=ro", uri=True)
    copy.row_factory = sqlite3.Row
    try:
        fault = copy.execute("pragma integrity_check(1)").fetchone()[0]
        if fault != "ok":
            raise sqlite3.DatabaseError(fault)
        db = ReadTransaction(copy)
        return db.latest_change(), db.rows("select kiosk_id, epoch, last_seq from chains")
    finally:
        copy.close()
