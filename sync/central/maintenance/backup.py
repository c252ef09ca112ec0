"""Backups of the centre's database: made by SQLite's own backup while the service runs, and verified by opening them.

What a verified backup holds of each kiosk's chain is noted in the live database; kiosks hear of it with every push and
pull, and keep whatever no backup has. The key file is not part of it: whoever has both has the cards.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sync.central.store.sqlite import Store, StoreError
from sync.control import socket_path
from sync.durable import sync_path
from sync.ids import new_id


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made: its size in bytes, the last change number in it, and how many chains it covers."""

    size: int
    change: int
    chains: int


def back_up(store: Store, file: Path) -> Backup:
    """Writes the database into `file`, which is replaced only by a backup that could be opened and read.

    Raises StoreError where it cannot be written or does not hold what it should.
    """
    _refuse_own_files(store.path, file)
    part = file.with_name(file.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        store.copy_to(part)
        mark_as_copy(part)
        change, chains = verified(part)
        sync_path(part)
        part.replace(file)
        sync_path(file.parent)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{file}: no backup was made: {error}") from error
    with store.write() as db:
        db.executemany(
            "update chains set backed_up_seq = :last_seq"
            " where kiosk_id = :kiosk_id and epoch = :epoch and backed_up_seq < :last_seq",
            [dict(row) for row in chains],
        )
    return Backup(file.stat().st_size, change, len(chains))


def _refuse_own_files(database: Path, file: Path) -> None:
    own = {database.name + ending for ending in ("", "-wal", "-shm", ".lock", ".keys", ".opened")}
    own.add(socket_path(database).name)
    if file.is_dir() or (file.parent.resolve() == database.parent.resolve() and file.name in own):
        raise StoreError(f"{file}: is no place for a backup")


def mark_as_copy(part: Path) -> None:
    """Opened as a database, this copy is one that was put back: no marker beside it knows of its last opening."""
    copy = sqlite3.connect(part)
    try:
        with copy:
            copy.execute("update incarnation set opened_id = ?", (f"backup {new_id()}",))
    finally:
        copy.close()


def verified(part: Path) -> tuple[int, list[sqlite3.Row]]:
    """The last change number in the copy, and its chains. Raises sqlite3.Error where it is damaged."""
    copy = sqlite3.connect(f"{part.absolute().as_uri()}?mode=ro", uri=True)
    copy.row_factory = sqlite3.Row
    try:
        fault = copy.execute("pragma integrity_check(1)").fetchone()[0]
        if fault != "ok":
            raise sqlite3.DatabaseError(fault)
        change = copy.execute("select value from counters where name = 'change'").fetchone()[0]
        return int(change), copy.execute("select kiosk_id, epoch, last_seq from chains").fetchall()
    finally:
        copy.close()
