"""A centre moves into another database: every row comes over, and the old database takes no service any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync.central.maintenance.incarnation import open_incarnation, update_marker
from sync.central.maintenance.move import PASSES, count_rows, demand_not_moved, move
from sync.central.store.errors import StoreError
from sync.central.store.interface import Store
from sync.central.store.tables import tables
from sync.protocol import Code, Verdict
from tests.sync.central.databases import Cluster, Database
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk, Time

FIRST = Path(__file__).parents[3] / "fixtures/centre-schema-1.sql"
NOW_MS = 1_772_411_400_000


class Move:
    """A database with rows in every table, and an empty one elsewhere."""

    def __init__(self, old: Database, new: Database) -> None:
        self.old, self.new = old, new

    def __call__(self) -> int:
        """Moves. Returns the number of rows."""
        with opened(self.old) as source, opened(self.new) as target:
            steps: list[int] = []
            moved = move(source, target, NOW_MS, steps.append)
            assert sum(steps) <= PASSES * count_rows(source)
            return moved.rows

    def refused(self) -> str:
        """Moves in vain. Returns why."""
        with pytest.raises(StoreError) as refused:
            self()
        return str(refused.value)


@contextmanager
def opened(database: Database) -> Iterator[Store]:
    """An open database for a context."""
    store = database.open()
    try:
        yield store
    finally:
        store.close()


def rows_of(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows of a database, but the mark of a move."""
    with opened(database) as store, store.read() as db:
        found = {table.name: sorted(map(tuple, db.rows(f"select * from {table.name}")), key=repr) for table in tables()}
    found["counters"] = [row for row in found["counters"] if row[0] != "moved_ms"]
    return found


@pytest.fixture
def file(tmp_path: Path) -> Database:
    """A file with rows in every table, after a service has used it."""
    path = tmp_path / "old" / "centre.db"
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.executescript(FIRST.read_text("utf-8"))
    connection.close()
    database = Database(f"sqlite:///{path}")
    with opened(database) as store:
        open_incarnation(store)
    return database


@pytest.fixture
def on_server(cluster: Cluster, tmp_path: Path) -> Iterator[Database]:
    with cluster.database() as url:
        yield Database(url, tmp_path / "server")


@pytest.fixture
def to_server(file: Database, on_server: Database) -> Move:
    return Move(file, on_server)


def incarnation(database: Database) -> str:
    """The incarnation of a start of the service."""
    with opened(database) as store:
        found = open_incarnation(store)
        update_marker(store)
        return found


def test_every_row_comes_over_and_back_again(to_server: Move, tmp_path: Path):
    before = rows_of(to_server.old)
    assert all(before.values()), "the file has rows in every table"
    assert to_server() == sum(map(len, before.values()))
    assert rows_of(to_server.new) == before
    back = Move(to_server.new, Database(f"sqlite:///{tmp_path}/back.db"))
    back()
    assert rows_of(back.new) == before


def test_the_first_start_after_a_move_is_no_restore(to_server: Move):
    before = incarnation(to_server.old)
    to_server()
    assert incarnation(to_server.new) == before


def test_a_restore_before_a_move_still_shows_after_it(to_server: Move):
    before = incarnation(to_server.old)
    with opened(to_server.old) as store, store.write() as db:
        db.execute("update openings set opened_id = 'of another opening'")
    to_server()
    assert incarnation(to_server.new) != before


def test_the_old_database_takes_no_service_any_more(to_server: Move):
    to_server()
    with opened(to_server.old) as store, store.read() as db, pytest.raises(StoreError, match="moved to another"):
        demand_not_moved(db, store.place)
    with opened(to_server.new) as store, store.read() as db:
        demand_not_moved(db, store.place)


def test_a_move_that_was_interrupted_at_its_end_is_ended_by_the_same_command(to_server: Move):
    rows = to_server()
    with opened(to_server.old) as store, store.write() as db:
        db.execute("delete from counters where name = 'moved_ms'")
    assert to_server() == rows
    with opened(to_server.old) as store, store.read() as db, pytest.raises(StoreError):
        demand_not_moved(db, store.place)


def test_another_centre_is_not_overwritten(to_server: Move):
    to_server()
    with opened(to_server.new) as store, store.write() as db:
        db.execute("update site set name = 'another hospital'")
    before = rows_of(to_server.new)
    assert "holds other rows in the table site" in to_server.refused()
    assert rows_of(to_server.new) == before


def test_a_row_that_the_other_database_changes_ends_the_move_and_leaves_nothing(to_server: Move):
    to_server.new.open().close()
    with opened(to_server.new) as store, store.write() as db:
        db.execute(
            "create function changed() returns trigger language plpgsql"
            " as 'begin new.title = new.title || 1; return new; end'"
        )
        db.execute("create trigger changed before insert on exams for each row execute function changed()")
    assert "holds other rows in the table exams" in to_server.refused()
    assert not any(rows for name, rows in rows_of(to_server.new).items() if name != "counters")
    with opened(to_server.old) as store, store.read() as db:
        demand_not_moved(db, store.place)


def test_a_text_that_the_other_database_cannot_keep_ends_the_move_and_leaves_nothing(to_server: Move):
    with opened(to_server.old) as store, store.write() as db:
        db.execute("update exams set title = title || char(0)")
    assert "cannot keep a row of the table exams" in to_server.refused()
    assert not any(rows for name, rows in rows_of(to_server.new).items() if name != "counters")


def test_a_database_without_a_centre_is_not_moved(on_server: Database, tmp_path: Path):
    assert "there is no centre" in Move(Database(f"sqlite:///{tmp_path}/empty.db"), on_server).refused()


def test_a_kiosk_goes_on_at_its_cursor_after_a_move(on_server: Database, tmp_path: Path):
    old = Centre(tmp_path / "wire.db", Time())
    open_incarnation(old.store)
    kiosk = Kiosk(tmp_path / "kiosk.db", old, "A", EVERYTHING)
    kiosk.pull()
    kiosk.check_in("P1")
    kiosk.sync()
    assert kiosk.tap("P2")
    before = kiosk.journeys.identity
    old.store.close()
    Move(old.database, on_server)()
    kiosk.centre.database = on_server
    kiosk.centre.open()
    open_incarnation(kiosk.centre.store)
    kiosk.sync()
    after = kiosk.journeys.identity
    assert (after.server_incarnation, after.generation) == (before.server_incarnation, before.generation)
    assert after.cursor > before.cursor
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert kiosk.centre.journey("P1").entries
    kiosk.centre.store.close()
