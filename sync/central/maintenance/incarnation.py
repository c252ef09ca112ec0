"""Tells a restored database from one that lived on: kiosks then send again what the backup may miss.

Each opening writes a fresh id into the database and into a marker file beside it, and the marker follows the change
numbers. A database whose last opening the marker does not know, or that has gone back behind the marker's change
number, was put back from a backup: it becomes a new incarnation, and skips the numbers that it may have given since. A
crash between the two writes does so too, needlessly and without harm, since actions are told apart by their ids.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from sync.central.maintenance.restore_gap import note_restore
from sync.central.store.sqlite import Store, WriteTransaction
from sync.clock import now_ms
from sync.durable import write_secret
from sync.ids import new_id


class Marker(msgspec.Struct, frozen=True):
    """What stands in the file beside the database."""

    opened_id: str
    change: int


def open_incarnation(store: Store, clock: Callable[[], int] = now_ms) -> str:
    """To be called once a store was opened: notes the opening and returns the incarnation that it belongs to."""
    opened_id = new_id()
    with store.write() as db:
        known = db.row("select server_incarnation, opened_id from incarnation")
        change = db.latest_change()
        lived_on = known is not None and _lived_on(_read(store.path), known["opened_id"], change)
        incarnation = str(known["server_incarnation"]) if known is not None and lived_on else new_id()
        db.execute(
            "insert into incarnation values (1, :incarnation, :opened_id) on conflict (id) do update"
            " set server_incarnation = excluded.server_incarnation, opened_id = excluded.opened_id",
            {"incarnation": incarnation, "opened_id": opened_id},
        )
        if known is not None and not lived_on:
            note_restore(db, clock())
    _write(store.path, Marker(opened_id, change))
    return incarnation


def begin_another(db: WriteTransaction, at_ms: int) -> None:
    """It has turned out that the database was set back together with its marker: another incarnation begins."""
    db.execute("update incarnation set server_incarnation = :incarnation", {"incarnation": new_id()})
    note_restore(db, at_ms)


def keep_marker(store: Store) -> None:
    """Brings the marker up to the database's change number, where it has risen. To be called now and then."""
    marker = _read(store.path)
    with store.read() as db:
        opened = db.row("select opened_id from incarnation")
        change = db.latest_change()
    if opened is not None and marker != Marker(opened["opened_id"], change):
        _write(store.path, Marker(opened["opened_id"], change))


def marker_path(database: Path) -> Path:
    """Where the marker lies. It must not be part of a backup."""
    return database.with_name(database.name + ".opened")


def _lived_on(marker: Marker | None, opened_id: str, change: int) -> bool:
    return marker is not None and marker.opened_id == opened_id and change >= marker.change


def _read(database: Path) -> Marker | None:
    try:
        return msgspec.json.decode(marker_path(database).read_bytes(), type=Marker)
    except (OSError, msgspec.DecodeError):
        return None


def _write(database: Path, marker: Marker) -> None:
    write_secret(marker_path(database), msgspec.json.encode(marker))
