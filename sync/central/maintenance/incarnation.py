"""Detects a restored database. After a restore, kiosks send the actions again that the database may lack.

Each opening writes a new id into the database and into a marker file beside it, and the marker follows the change
numbers. The database was restored where the marker does not hold the id of its last opening, or holds a higher change
number. It becomes a new incarnation then, and skips the queue numbers that may have been given since the backup.

A crash between the two writes begins a new incarnation needlessly. That does no harm: actions are known by their ids.
A full disk takes no opening id. Then the one before stays, where the database is the one that was opened last.
"""

import logging
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from sync.ballast import is_full
from sync.central.maintenance.restore_gap import note_restore
from sync.central.records.incarnation import Incarnation, read_incarnation, write_incarnation
from sync.central.store.interface import Store
from sync.central.store.transactions import WriteTransaction
from sync.clock import now_ms
from sync.durable import prepare_secret, put_in_place, write_secret
from sync.ids import new_id

log = logging.getLogger(__name__)


class Marker(msgspec.Struct, frozen=True):
    """The content of the file beside the database."""

    opened_id: str
    change: int


def open_incarnation(store: Store, clock: Callable[[], int] = now_ms) -> str:
    """Records the opening of a store, and returns the incarnation that it belongs to. Called once an opening.

    Raises sqlite3.Error or OSError where neither can be: the disk is full, and the database was restored or is new.
    """
    try:
        return _record_opening(store, clock)
    except (sqlite3.Error, OSError) as error:
        continued = _continued(store)
        if continued is None or not is_full(error):
            raise
        log.critical("%s: the disk is full; this start is not recorded", store.place)
        return continued


def _record_opening(store: Store, clock: Callable[[], int]) -> str:
    opened_id = new_id()
    with store.read() as view:
        change = view.latest_change()
    # Before the commit, since a full disk would leave a database whose marker is another one's.
    prepared = prepare_secret(marker_path(store.place.state), msgspec.json.encode(Marker(opened_id, change)))
    try:
        with store.write() as db:
            known = read_incarnation(db)
            continues = known is not None and _matches_marker(_read(store.place.state), known.opened_id, change)
            incarnation = known.server_incarnation if known is not None and continues else new_id()
            secret = known.cursor_secret if known is not None else secrets.token_hex()
            write_incarnation(db, Incarnation(incarnation, opened_id, secret))
            if known is not None and not continues:
                note_restore(db, clock())
    except BaseException:
        prepared.unlink(missing_ok=True)
        raise
    put_in_place(prepared, marker_path(store.place.state))
    return incarnation


def begin_new_incarnation(db: WriteTransaction, at_ms: int) -> None:
    """Begins a new incarnation where a kiosk has shown that the database was set back together with its marker."""
    before = read_incarnation(db)
    assert before is not None
    write_incarnation(db, replace(before, server_incarnation=new_id()))
    note_restore(db, at_ms)


def update_marker(store: Store) -> None:
    """Writes the database's change number into the marker, where it has risen. Called at intervals."""
    marker = _read(store.place.state)
    with store.read() as db:
        known = read_incarnation(db)
        change = db.latest_change()
    if known is not None and marker != Marker(known.opened_id, change):
        _write(store.place.state, Marker(known.opened_id, change))


def move_marker(source: Store, target: Store) -> None:
    """Gives another database with the same rows the marker too, so that its first opening is no restore.

    A database that was itself restored, and not opened since, has no marker that matches: its restore still shows.
    """
    with source.read() as db:
        known = read_incarnation(db)
        change = db.latest_change()
    if known is not None and _matches_marker(_read(source.place.state), known.opened_id, change):
        _write(target.place.state, Marker(known.opened_id, change))


def marker_path(state: Path) -> Path:
    """The path of the marker. A backup must not hold the marker."""
    return state.with_name(state.name + ".opened")


def _continued(store: Store) -> str | None:
    """The incarnation of a database that was opened last with this marker; None for any other."""
    with store.read() as db:
        known = read_incarnation(db)
        change = db.latest_change()
    matches = known is not None and _matches_marker(_read(store.place.state), known.opened_id, change)
    return known.server_incarnation if known is not None and matches else None


def _matches_marker(marker: Marker | None, opened_id: str, change: int) -> bool:
    """Whether the database is the one for which the marker was written, and not an older copy of it."""
    return marker is not None and marker.opened_id == opened_id and change >= marker.change


def _read(state: Path) -> Marker | None:
    try:
        return msgspec.json.decode(marker_path(state).read_bytes(), type=Marker)
    except (OSError, msgspec.DecodeError):
        return None


def _write(state: Path, marker: Marker) -> None:
    write_secret(marker_path(state), msgspec.json.encode(marker))
