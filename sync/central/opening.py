"""Opens the centre: its database, its card keys and its rules."""

import logging
from pathlib import Path

from sync.cards import load_or_make_keys, read_keys, write_keys
from sync.central.centre import Centre
from sync.central.line import PATIENCE_S, patiently
from sync.central.maintenance.card_rotation import publish_all, stored_from
from sync.central.maintenance.incarnation import open_incarnation
from sync.central.maintenance.move import demand_not_moved
from sync.central.maintenance.timekeeper import Timekeeper, last_known_ms
from sync.central.records.card_keys import read_card_keys
from sync.central.records.definitions import newest_definitions, put_in_force
from sync.central.site_keys import SiteKeys
from sync.central.store.errors import StoreError
from sync.central.store.interface import Store
from sync.central.store.opening import open_store
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
    create: bool = True,
) -> Centre:
    """The centre over a database and its key file. Raises StoreError.

    The key file and the other files of the state are in `state_dir`, or beside the file of SQLite. Without `create`
    there must be a database. `definitions` come into force where they are newer than those in force.
    Waits at most `patience_s` seconds for another process that is closing the database.
    """
    return patiently(lambda: open_now(url, keys, definitions, state_dir=state_dir, create=create), patience_s)


def open_now(
    url: str, keys: Path | None, offered: Definitions | None = None, *, state_dir: Path | None = None, create: bool
) -> Centre:
    """As `open_centre`, without a wait for another process. Raises InUse there."""
    store = open_store(url, state_dir, create=create)
    try:
        with store.read() as db:
            demand_not_moved(db, store.place)
            clock = Timekeeper(last_known_ms=last_known_ms(db))
            card_keys = read_site_keys(keys or keys_path(store.place.state), db)
        open_incarnation(store, clock)
        centre = Centre(store, card_keys, _in_force(store, offered, clock()), clock)
        publish_all(centre)
    except BaseException:
        store.close()
        raise
    return centre


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
        raise StoreError(f"{path}: the key file is missing: put it back. Its newest key is {ids[-1]}") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}: no usable key file: {error}") from error
    if keys.ids[: len(ids)] != ids:
        raise StoreError(
            f"{path}: not the key file of this database: its keys are {', '.join(keys.ids)}, and the database knows"
            f" {', '.join(ids)}. Put the key file back that was beside it"
        )
    return SiteKeys(path, keys, stored_from(db) or keys.ids[0])


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
        taken = put_in_force(db, offered, at_ms)
    if taken.version > offered.version:
        log.warning("definitions %s stay in force; %s were offered", taken.version, offered.version)
    return taken
