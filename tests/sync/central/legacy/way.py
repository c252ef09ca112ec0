"""The way from an old database into a centre and back, as an operator goes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sync.central.commands.progress import progress_bar
from sync.central.legacy import orders
from sync.central.legacy.back import GivenBack
from sync.central.legacy.layout import Kind, read_layout
from sync.central.legacy.old_database import OldDatabase, open_old, quoted
from sync.central.legacy.orders import CentrePlace, Migrated, Order, Renamed
from sync.central.maintenance.health import Health, check
from sync.central.store.tables import tables
from tests.sync.central.centre import Centre
from tests.sync.central.databases import Database
from tests.sync.central.legacy import old_system
from tests.sync.central.legacy.old_system import NOW

NOW_MS = int((NOW + timedelta(minutes=5)).timestamp() * 1000)
OWN = ("legacy_migration", "audit", "openings")  # tables that say when something was done


class Way:
    """An old database, and a centre with a hospital and no patients."""

    def __init__(self, directory: Path, old: str, database: Database) -> None:
        self.directory, self.old, self.database = directory, old, database
        self.files = directory / "files"
        # The old system has a column that Django's usual layout does not know.
        self.layout_file = directory / "layout.toml"
        self.take_layout("[tables.queue.new]\npriority = 0.5\n")
        Centre(directory, patients=0, database=database).store.close()

    def take_layout(self, text: str) -> None:
        """Has the layout be Django's, but for this text."""
        self.layout_file.write_text(text, "utf-8")
        self.layout = read_layout(self.layout_file)

    @property
    def place(self) -> CentrePlace:
        return CentrePlace(self.database.url, self.database.state_dir)

    def order(self, *, trial: bool = False) -> Order:
        return Order(self.files, "an operator", NOW_MS, progress_bar, trial)

    def fill(self, patients: int) -> None:
        """Adds patients with their rows to the old database."""
        old_system.run("fill", self.old, patients)

    def migrate(self, *, trial: bool = False) -> Migrated:
        return orders.migrate(self.old, self.place, self.layout, self.order(trial=trial))

    def revert(self, *, trial: bool = False) -> GivenBack | None:
        return orders.revert(self.place, self.old, self.layout_file, self.order(trial=trial))[1]

    def forget(self, *, trial: bool = False) -> int:
        return orders.forget(self.place, self.order(trial=trial))

    def rename(self, *, trial: bool = False) -> Renamed:
        return orders.rename_in_place(self.old, self.layout, self.order(trial=trial))

    def rename_back(self, *, trial: bool = False) -> int:
        return orders.rename_back(self.old, self.order(trial=trial))[0]

    @contextmanager
    def opened_old(self) -> Iterator[OldDatabase]:
        """The old database, to be looked into."""
        with open_old(self.old) as old:
            yield old

    def change_old(self, sql: str, *values: object) -> None:
        """Does what the old system does, or what became of it."""
        with self.opened_old() as old:
            old.write(sql, values)

    def old_rows(self) -> dict[str, list[str]]:
        """Every row of the old tables, with every value as it is stored."""
        names = [self.layout.tables[kind].table for kind in Kind]
        with self.opened_old() as old:
            return {name: _rows(old, name) for name in (*names, "auth_user") if old.columns(name)}

    @contextmanager
    def centre(self) -> Iterator[Centre]:
        """The centre after a start."""
        made = Centre(self.directory, filled=False, database=self.database)
        made.clock.now_ms = NOW_MS
        try:
            yield made
        finally:
            made.store.close()

    def centre_rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of the centre, but those that say when something was done."""
        names = [table.name for table in tables() if table.name not in OWN]
        store = self.database.open()
        try:
            with store.read() as db:
                return {name: sorted(map(tuple, db.rows(f"select * from {name}")), key=repr) for name in names}
        finally:
            store.close()

    def health(self) -> Health:
        with self.centre() as centre, centre.store.read() as db:
            return check(db, centre.parts.definitions, "2026-03-02")


def _rows(old: OldDatabase, table: str) -> list[str]:
    columns = ", ".join(old.chosen(quoted(name)) for name in old.columns(table))
    return sorted(old.encode(row) for row in old.read(f"select {columns} from {quoted(table)}"))
