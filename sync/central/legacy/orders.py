"""The orders of the operator: over into a centre, back out of it, and new names in place. Each is done whole or not."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from sync.central.legacy import back
from sync.central.legacy.back import GivenBack, demand_migration, give_back
from sync.central.legacy.files import back_up_old, list_rows, make_directory
from sync.central.legacy.in_place import (
    Renaming,
    changed_layout,
    count_values,
    name_states_back,
    plan_renamings,
    rename_states,
)
from sync.central.legacy.into_centre import PASSES, demand_ready, take_old_database
from sync.central.legacy.layout import Layout, read_layout, with_new_values
from sync.central.legacy.old_database import OldDatabase, held_to_write, open_old
from sync.central.legacy.reading import absent_columns, count_rows, demand_tables, lacking_columns, tables_of
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.move import demand_centre
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.definitions import newest_definitions
from sync.central.records.legacy import Tally, count_kept, forget_kept_rows
from sync.central.store.errors import StoreError
from sync.central.store.interface import Store
from sync.central.store.opening import open_store
from sync.central.store.place import is_postgresql, place_of
from sync.central.store.share import Share
from sync.durable import free_name
from sync.journey.definitions import Definitions, shipped

Bar = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]


class CentrePlace(msgspec.Struct, frozen=True):
    """The URL of a centre's database, and the state directory of one on a server."""

    url: str
    state_dir: Path | None


class Order(msgspec.Struct, frozen=True):
    """How an order is carried out: where its files go, by whom and when (UTC ms), and with which progress bar.

    A `trial` changes nothing.
    """

    files: Path
    who: str
    now_ms: int
    bar: Bar
    trial: bool


class Migrated(msgspec.Struct, frozen=True):
    """What became of the old rows, the list of those with a fault, and the backups; none of a trial.

    `absent`: columns of the layout that the old database does not have. `lacking`: columns for which the layout has
    no value in a row that the way back adds.
    """

    absent: list[str]
    lacking: list[str]
    tallies: list[Tally]
    listed: Path
    backups: tuple[Path, ...]


class Renamed(msgspec.Struct, frozen=True):
    """The names of an old database with what became of them, the number of changed values, and the backup."""

    names: list[Renaming]
    values: int
    backup: Path | None


def migrate(source: str, centre: CentrePlace, layout: Layout, order: Order) -> Migrated:
    """Takes an old database into a centre. Raises StoreError, and changes nothing then."""
    with open_old(source) as old, _opened(centre) as store:
        demand_tables(old, layout)
        with store.read() as db:
            demand_ready(db, store.place)
            definitions = newest_definitions(db) or shipped()
        make_directory(order.files)
        listed: list[Path] = []
        with old.held(tables_of(layout), writes=False):
            rows = sum(count_rows(old, layout).values())
            backups: tuple[Path, ...] = ()
            if not order.trial:
                of_centre = free_name(order.files / "centre", ".backup")
                backups = (back_up_old(old, order.files), of_centre)
                back_up(store, of_centre)
            with order.bar(PASSES * rows, "migrating") as advance:
                tallies = take_old_database(
                    old,
                    layout,
                    store,
                    definitions,
                    order.now_ms,
                    who=order.who,
                    trial=order.trial,
                    advance=advance,
                    listen=lambda db: listed.append(list_rows(db, layout, order.files, trial=order.trial)),
                )
        return Migrated(absent_columns(old, layout), lacking_columns(old, layout), tallies, listed[0], backups)


def revert(
    centre: CentrePlace, target: str, layout_file: Path | None, order: Order
) -> tuple[Layout, GivenBack | None, Path | None]:
    """Brings the old database back, with all that has come since: its layout, what was given, and the backup.

    A layout file may give other values for new rows. Nothing is given where it was given already. Raises StoreError,
    and changes nothing then.
    """
    with open_old(target) as old, _opened(centre) as store:
        with store.read() as db:
            _, layout = demand_migration(db, store.place)
            rows = back.PASSES * sum(count_kept(db, kind) for kind in layout.kinds())
        layout = with_new_values(layout, read_layout(layout_file)) if layout_file else layout
        demand_tables(old, layout)
        with old.held(tables_of(layout), writes=False):
            backup = _backup(old, order)
        with order.bar(rows, "giving back") as advance:
            return (
                layout,
                give_back(store, old, layout, order.now_ms, who=order.who, trial=order.trial, advance=advance),
                backup,
            )


def forget(centre: CentrePlace, order: Order) -> int:
    """Deletes the old rows that a centre keeps for the way back. Returns their number. Raises StoreError."""
    with _opened(centre) as store, store.write() as db:
        _, layout = demand_migration(db, store.place)
        rows = sum(count_kept(db, kind) for kind in layout.kinds())
        if not order.trial:
            forget_kept_rows(db)
            note(db, order.who, AuditKind.LEGACY, order.now_ms, detail={"forgotten": rows})
    return rows


def rename_in_place(source: str, layout: Layout, order: Order) -> Renamed:
    """Gives the states of an old database their new names. Raises StoreError, and changes nothing then."""
    definitions: Definitions = shipped()
    with open_old(source) as old:
        demand_tables(old, layout)
        with held_to_write(old, tables_of(layout), trial=order.trial):
            backup = _backup(old, order)
            names, values = plan_renamings(old, layout, definitions), count_values(old, layout)
            with order.bar(values, "renaming") as advance:
                rename_states(old, layout, order.now_ms, advance)
        return Renamed(names, values, backup)


def rename_back(source: str, order: Order) -> tuple[int, Path | None]:
    """Gives the states their old names again. Returns the number of values, and the backup. Raises StoreError."""
    with open_old(source) as old:
        layout = changed_layout(old)
        with held_to_write(old, tables_of(layout), trial=order.trial):
            backup = _backup(old, order)
            with order.bar(0, "renaming") as advance:
                values = name_states_back(old, advance)
        return values, backup


def _backup(old: OldDatabase, order: Order) -> Path | None:
    """A backup of an old database that is held, and not written yet; None for a trial."""
    return None if order.trial else back_up_old(old, order.files)


@contextmanager
def _opened(centre: CentrePlace) -> Iterator[Store]:
    """A centre's database, with nobody else in it. Raises StoreError, also where it is no centre's."""
    state_dir = centre.state_dir if is_postgresql(centre.url) else None
    place = place_of(centre.url, state_dir)
    if place.file is None or place.file.exists():
        with open_old(centre.url, read_only=True) as found:
            if not (found.columns("schema_version") and found.columns("incarnation")):
                raise StoreError(f"{place}: there is no centre in this database. Nothing was changed")
    store = open_store(centre.url, state_dir, create=False, share=Share.ALONE)
    try:
        with store.read() as db:
            demand_centre(db, store.place)
        yield store
    finally:
        store.close()
