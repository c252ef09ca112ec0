"""The schema: the code makes the committed database of version 1, and the present version opens it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.maintenance.health import check
from sync.central.maintenance.incarnation import open_incarnation
from sync.central.store.migrations import migrate
from sync.central.store.schema import SCHEMA_VERSION
from sync.central.store.sqlite import SQLITE, SqliteStore
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk, Time

FIRST = Path(__file__).parents[3] / "fixtures/centre-schema-1.sql"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A database of schema version 1, after a service has used it."""
    path = tmp_path / "centre.db"
    connection = sqlite3.connect(path)
    connection.executescript(FIRST.read_text("utf-8"))
    connection.close()
    return path


@pytest.fixture
def upgraded(first: Path) -> Iterator[Centre]:
    """The centre of this version over that database."""
    made = Centre(first, Time())
    yield made
    made.store.close()


def definitions_of(path: Path) -> dict[str, str]:
    """Each table and index with the SQL that made it."""
    connection = sqlite3.connect(path)
    rows = connection.execute("select name, sql from sqlite_master where sql is not null").fetchall()
    connection.close()
    return dict(rows)


def counts(path: Path) -> dict[str, int]:
    """The number of rows in each table."""
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
    found = {name: connection.execute(f"select count(*) from {name}").fetchone()[0] for name in names}
    connection.close()
    return found


def test_the_first_schema_is_what_the_first_migration_makes(first: Path, tmp_path: Path):
    path = tmp_path / "made.db"
    connection = sqlite3.connect(path)
    migrate(connection, path, SQLITE, target=1)
    connection.close()
    assert definitions_of(first) == definitions_of(path)


def test_every_table_of_the_first_schema_has_rows_to_upgrade(first: Path):
    assert [name for name, rows in counts(first).items() if not rows] == []


def test_a_database_of_the_first_schema_opens_with_all_its_rows(first: Path):
    before = counts(first)
    store = SqliteStore(f"sqlite:///{first}")
    with store.read() as db:
        assert db.value("select version from schema_version") == SCHEMA_VERSION
    store.close()
    after = counts(first)
    assert {name: after[name] for name in before} == before


def test_a_centre_goes_on_with_a_database_of_the_first_schema(upgraded: Centre, tmp_path: Path):
    open_incarnation(upgraded.store, upgraded.time)
    assert upgraded.journey("P1").state == "CALLED"
    assert sorted(upgraded.open_cases()) == ["quarantined", "two_visits", "unknown_card"]
    kiosk = Kiosk(tmp_path / "N.db", upgraded, "N", EVERYTHING)
    kiosk.pull()
    assert kiosk.base("P1") == upgraded.journey("P1")
    kiosk.act("P1", "enter_exam_room")
    kiosk.sync()
    assert upgraded.journey("P1").state == "IN_PROGRESS"
    for code in ("unknown_card", "quarantined", "two_visits"):
        assert upgraded.settle("discard", code, reason="seen to").done
    with upgraded.store.read() as db:
        health = check(db, upgraded.definitions)
    assert (health.ok, health.waiting_for_staff) == (True, 0)
