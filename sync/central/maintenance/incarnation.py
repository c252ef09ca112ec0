"""Detects a restored database. After a restore, kiosks send the actions again that the database may lack.

Each opening writes a new id into the database and into a marker, a file of the host, and the marker follows the change
numbers. The database was restored where the marker does not hold the id of its host's last opening, or holds a higher
change number. It becomes a new incarnation then, and skips the queue numbers that may have been given since the backup.
A host that the database does not know joins the others: one that serves the database has looked already. Where nobody
serves it, the database counts as restored.

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
from sync.central.records.incarnation import (
    Incarnation,
    forget_openings,
    note_opening,
    opened_from,
    read_incarnation,
    write_incarnation,
)
from sync.central.store.interface import Store
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import now_ms
from sync.durable import prepare_secret, put_in_place, write_secret
from sync.ids import new_id

log = logging.getLogger(__name__)


class Marker(msgspec.Struct, frozen=True):
    """The content of the file: the host, its last opening, and the last change number that it has seen."""

    host_id: str
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
    before = _read(store.place.state)
    with store.read() as view:
        change = view.latest_change()
    made = Marker(before.host_id if before else new_id(), new_id(), change)
    # Before the commit, since a full disk would leave a database whose marker is another one's.
    prepared = prepare_secret(marker_path(store.place.state), msgspec.json.encode(made))
    try:
        with store.write() as db:
            incarnation = _incarnation_at(db, before, has_others=store.has_other_hosts(), now_ms=clock())
            note_opening(db, made.host_id, made.opened_id)
    except BaseException:
        prepared.unlink(missing_ok=True)
        raise
    put_in_place(prepared, marker_path(store.place.state))
    return incarnation


def _incarnation_at(db: WriteTransaction, marker: Marker | None, *, has_others: bool, now_ms: int) -> str:
    """The incarnation of a database at its opening. A restored database gets a new one, and a new database its first.

    `has_others`: another host serves the database.
    """
    known = read_incarnation(db)
    if known is None:
        made = Incarnation(new_id(), secrets.token_hex())
        write_incarnation(db, made)
        return made.server_incarnation
    joins = has_others and (marker is None or opened_from(db, marker.host_id) is None)
    if joins or _matches(db, marker):
        return known.server_incarnation
    forget_openings(db)
    return begin_new_incarnation(db, now_ms)


def begin_new_incarnation(db: WriteTransaction, at_ms: int) -> str:
    """Begins a new incarnation where the database was set back. Returns its id."""
    before = read_incarnation(db)
    assert before is not None
    after = replace(before, server_incarnation=new_id())
    write_incarnation(db, after)
    note_restore(db, at_ms)
    return after.server_incarnation


class SetBack:
    """Begins a new incarnation where a service finds that changes are lost which it has seen.

    So it is where a standby without the last changes has become the server.
    """

    def __init__(self, incarnation: str, clock: Callable[[], int]) -> None:
        """`incarnation` is the one that the service has opened."""
        self._incarnation = incarnation
        self._clock = clock

    def __call__(self, db: WriteTransaction) -> None:
        """Begins the new incarnation, unless another service has done so."""
        found = read_incarnation(db)
        assert found is not None
        if found.server_incarnation == self._incarnation:
            log.critical("the database has lost changes that this service has seen: kiosks send theirs again")
            self._incarnation = begin_new_incarnation(db, self._clock())
        else:
            self._incarnation = found.server_incarnation


def host_id(state: Path) -> str:
    """The id of the host whose state is at a path; empty before its first opening."""
    marker = _read(state)
    return marker.host_id if marker else ""


def update_marker(store: Store) -> None:
    """Writes the database's change number into the marker, where it has risen. Called at intervals."""
    marker = _read(store.place.state)
    with store.read() as db:
        change = db.latest_change()
        is_ours = marker is not None and opened_from(db, marker.host_id) == marker.opened_id
    if marker is not None and is_ours and marker.change != change:
        _write(store.place.state, msgspec.structs.replace(marker, change=change))


def move_marker(source: Store, target: Store) -> None:
    """Gives another database with the same rows the marker too, so that its first opening is no restore.

    A database that was itself restored, and not opened since, has no marker that matches: its restore still shows.
    """
    marker = _read(source.place.state)
    with source.read() as db:
        change = db.latest_change()
        matches = _matches(db, marker)
    if marker is not None and matches:
        _write(target.place.state, msgspec.structs.replace(marker, change=change))


def marker_path(state: Path) -> Path:
    """The path of the marker. A backup must not hold the marker."""
    return state.with_name(state.name + ".opened")


def _continued(store: Store) -> str | None:
    """The incarnation of a database that was opened last with this marker; None for any other."""
    with store.read() as db:
        known = read_incarnation(db)
        matches = _matches(db, _read(store.place.state))
    return known.server_incarnation if known is not None and matches else None


def _matches(db: ReadTransaction, marker: Marker | None) -> bool:
    """Whether the database is the one for which the marker was written, and not an older copy of it."""
    if marker is None or opened_from(db, marker.host_id) != marker.opened_id:
        return False
    return db.latest_change() >= marker.change


def _read(state: Path) -> Marker | None:
    try:
        return msgspec.json.decode(marker_path(state).read_bytes(), type=Marker)
    except (OSError, msgspec.DecodeError):
        return None


def _write(state: Path, marker: Marker) -> None:
    write_secret(marker_path(state), msgspec.json.encode(marker))
