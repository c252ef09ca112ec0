"""Opens the centre: its database, its card keys and its rules."""

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sync.cards import CardKeys, load_or_make_keys, read_keys, write_keys
from sync.central.centre import Centre
from sync.central.line import PATIENCE_S, patiently
from sync.central.maintenance.card_rotation import publish_all, stored_from
from sync.central.maintenance.incarnation import SetBack, open_incarnation
from sync.central.maintenance.move import demand_not_moved
from sync.central.maintenance.timekeeper import Timekeeper, last_known_ms
from sync.central.records.card_keys import read_card_keys
from sync.central.records.definitions import newest_definitions, put_in_force
from sync.central.records.incarnation import read_incarnation
from sync.central.site_keys import SiteKeys
from sync.central.store.errors import StoreError
from sync.central.store.interface import Store
from sync.central.store.opening import open_store
from sync.central.store.share import Share
from sync.central.store.transactions import ReadTransaction
from sync.journey.definitions import Definitions, shipped

log = logging.getLogger(__name__)


def open_centre(
    url: str,
    keys: Path | None = None,
    definitions: Definitions | None = None,
    patience_s: float = PATIENCE_S,
    *,
    state_dir: Path | None = None,
    direct: str | None = None,
    create: bool = True,
    is_main: bool = True,
) -> Centre:
    """The centre over a database and its key file. Raises StoreError.

    The key file and the other files of the state are in `state_dir`, or beside the file of SQLite. `direct` is the URL
    of the same database past a pooler. Without `create` there must be a database. `definitions` come into force where
    they are newer than those in force. A worker that is not `is_main` joins a service that has opened it already.
    Waits at most `patience_s` seconds for another process that is closing the database.
    """

    def opened() -> Centre:
        return open_now(url, keys, definitions, state_dir=state_dir, direct=direct, create=create, is_main=is_main)

    return patiently(opened, patience_s)


def open_now(
    url: str,
    keys: Path | None,
    offered: Definitions | None = None,
    *,
    state_dir: Path | None = None,
    direct: str | None = None,
    create: bool,
    is_main: bool = True,
) -> Centre:
    """As `open_centre`, without a wait for another process. Raises InUse there."""
    store = open_store(url, state_dir, direct=direct, create=create, share=Share.HOST if is_main else Share.WORKER)
    try:
        centre = _opened(store, keys or keys_path(store.place.state), offered, is_main=is_main)
    except sqlite3.Error as error:
        store.close()
        raise StoreError(f"{store.place}: {error}") from error
    except BaseException:
        store.close()
        raise
    return centre


def _opened(store: Store, keys: Path, offered: Definitions | None, *, is_main: bool) -> Centre:
    """The centre over an open store. Raises StoreError and sqlite3.Error."""
    server_ms = store.server_ms()
    with store.read() as db:
        demand_not_moved(db, store.place)
        clock = Timekeeper(last_known_ms=last_known_ms(db), server_ms=server_ms)
        card_keys = read_site_keys(keys, db)
        known = read_incarnation(db)
    incarnation = open_incarnation(store, clock) if is_main else known.server_incarnation if known else ""
    centre = Centre(store, card_keys, _in_force(store, offered, clock()), clock)
    store.heed(_Rereading(card_keys, centre.definitions), SetBack(incarnation, clock))
    publish_all(centre)
    return centre


@dataclass(frozen=True, slots=True)
class _Rereading:
    """What a service reads again when another one has changed what all of them keep in memory."""

    keys: SiteKeys
    definitions: Definitions

    def __call__(self, db: ReadTransaction) -> bool:
        """Takes the card keys. Returns whether newer definitions are in force, which the next start takes.

        Raises sqlite3.OperationalError where the key file is an older one.
        """
        take_keys_again(self.keys, db)
        newest = newest_definitions(db)
        return newest is not None and newest.version > self.definitions.version


def keys_path(state: Path) -> Path:
    """The default place of the card keys, which are never in the database itself."""
    return state.with_name(state.name + ".keys")


def read_site_keys(path: Path, db: ReadTransaction) -> SiteKeys:
    """The keys of the key file. Raises StoreError where they are not those that the database knows, and more.

    Under other keys, or without one of the layers, no card is known. A new key file is made for a new database alone.
    """
    known = read_card_keys(db)
    ids = tuple(record.key_id for record in known)
    try:
        keys = read_keys(path) if ids else load_or_make_keys(path)
    except FileNotFoundError as error:
        raise StoreError(
            f"{path}: the key file is missing: put it back, or copy it from the host that has it."
            f" Its newest key is {ids[-1]}"
        ) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}: no usable key file: {error}") from error
    if keys.ids[: len(ids)] != ids:
        raise StoreError(
            f"{path}: not the key file of this database: its keys are {', '.join(keys.ids)}, and the database knows"
            f" {', '.join(ids)}. Put the key file back that was beside it"
        )
    return SiteKeys(path, keys, stored_from(db) or keys.ids[0])


def take_keys_again(keys: SiteKeys, db: ReadTransaction) -> None:
    """Takes the keys of the key file again, as the database knows them now.

    Raises sqlite3.OperationalError where the file is not that of the database: no card may be stored then.
    """
    try:
        found = read_site_keys(keys.path, db)
    except StoreError as error:
        raise sqlite3.OperationalError(str(error)) from error
    told = {record.key_id for record in read_card_keys(db) if record.published_ms is not None}
    published = CardKeys(tuple(key for key in found.known.keys if key.key_id in told)) if told else found.known
    keys.take(found.known, published, found.in_rows[0])


def move_keys(old: Path, new: Path) -> None:
    """Gives another database the key file too. Raises StoreError where it has another one, and OSError."""
    try:
        keys = read_keys(old)
    except FileNotFoundError as error:
        raise StoreError(f"{old}: the key file is missing: name it by --keys") from error
    except ValueError as error:
        raise StoreError(f"{old}: no usable key file: {error}") from error
    if not new.exists():
        write_keys(new, keys)
    elif new.read_bytes() != old.read_bytes():
        raise StoreError(f"{new}: is another key file, and stays. Give another state directory")


def _in_force(store: Store, offered: Definitions | None, at_ms: int) -> Definitions:
    if offered is None:
        with store.read() as db:
            return newest_definitions(db) or shipped()
    with store.write() as db:
        before = newest_definitions(db)
        taken = put_in_force(db, offered, at_ms)
        if before is None or before.version < taken.version:
            db.note_common_change()
    if taken.version > offered.version:
        log.warning("definitions %s stay in force; %s were offered", taken.version, offered.version)
    return taken
