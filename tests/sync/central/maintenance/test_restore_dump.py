"""Backup and restore on PostgreSQL, by its own programs: whole or not at all, and recognised as a restore."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.maintenance.backup import back_up
from sync.central.maintenance.incarnation import update_marker
from sync.central.maintenance.restore_dump import restore_dump
from sync.central.store.errors import InUse, StoreError
from sync.central.store.pg_schemas import REPLACED, keep_tables
from sync.central.store.place import place_of
from sync.central.store.postgres import connect_to, hold_database
from tests.sync.central.centre import Centre, patient
from tests.sync.central.databases import Cluster, Database

pytestmark = pytest.mark.one_database


@pytest.fixture
def database(cluster: Cluster, tmp_path: Path) -> Iterator[Database]:
    """A database of its own, since a restore changes its schemas."""
    with cluster.bare() as url:
        yield Database(url, tmp_path / "state")


@pytest.fixture
def centre(database: Database, tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path, patients=2, database=database)
    yield made
    made.store.close()


def incarnation(centre: Centre) -> object:
    return centre.rows("select server_incarnation from incarnation")


def schemas(centre: Centre) -> list[object]:
    rows = centre.rows("select nspname from pg_namespace where nspname like 'replaced%'")
    return [row["nspname"] for row in rows]


def test_what_another_program_has_in_the_database_is_in_no_backup_and_hinders_no_restore(
    centre: Centre, tmp_path: Path
):
    with centre.store.write() as db:
        db.execute("create schema monitoring")
        db.execute("create table monitoring.looks (number integer)")
        db.execute("insert into monitoring.looks values (1)")
    back_up(centre.store, tmp_path / "backup")
    with centre.store.write() as db:
        db.execute("insert into monitoring.looks values (2)")
    centre.store.close()
    restore_dump(centre.store.place, tmp_path / "backup")
    centre.open()
    assert centre.rows("select number from monitoring.looks") == [{"number": 1}, {"number": 2}]
    assert centre.walk(patient(1), "scan_nfc")["journey_state"] == "ARRIVED"


def test_what_was_backed_up_comes_back_and_the_next_start_is_a_new_incarnation(centre: Centre, tmp_path: Path):
    centre.walk(patient(1), "scan_nfc")
    file, before = tmp_path / "backup", incarnation(centre)
    made = back_up(centre.store, file)
    assert (made.size, file.stat().st_mode & 0o777) == (file.stat().st_size, 0o600)
    centre.walk(patient(2), "scan_nfc")
    update_marker(centre.store)
    centre.store.close()
    report = restore_dump(centre.store.place, file)
    centre.open()
    assert report.change == made.change
    assert incarnation(centre) != before
    states = [centre.state(patient(number))["journey_state"] for number in (1, 2)]
    assert (states[0] != states[1], states[1]) == (True, "UNREGISTERED")
    assert schemas(centre) == [report.kept]


def test_a_backup_leaves_out_what_earlier_restores_have_replaced(centre: Centre, tmp_path: Path):
    for name in ("first", "second"):
        back_up(centre.store, tmp_path / name)
        centre.store.close()
        restore_dump(centre.store.place, tmp_path / name)
        centre.open()
    back_up(centre.store, tmp_path / "third")
    listed = subprocess.run(["pg_restore", "--list", tmp_path / "third"], capture_output=True, text=True, check=True)
    assert "replaced_" not in listed.stdout


def test_a_database_in_use_is_left_alone(centre: Centre, tmp_path: Path):
    back_up(centre.store, tmp_path / "backup")
    with pytest.raises(InUse, match="stop it first"):
        restore_dump(centre.store.place, tmp_path / "backup")


def test_what_is_no_backup_of_a_centre_changes_nothing(
    centre: Centre, cluster: Cluster, database: Database, tmp_path: Path
):
    back_up(centre.store, tmp_path / "backup")
    content = (tmp_path / "backup").read_bytes()
    (tmp_path / "short").write_bytes(content[: len(content) // 2])
    (tmp_path / "text").write_text("no backup")
    with cluster.bare() as url:
        subprocess.run(["pg_dump", "--format=custom", f"--file={tmp_path / 'empty'}", url], check=True)
    before = centre.rows("select * from counters")
    centre.store.close()
    for name in ("short", "text", "empty", "missing"):
        with pytest.raises(StoreError, match=name):
            restore_dump(centre.store.place, tmp_path / name)
    centre.open()
    assert centre.rows("select * from counters") == before
    assert schemas(centre) == []


def test_a_backup_of_a_newer_version_changes_nothing(centre: Centre, tmp_path: Path):
    with centre.store.write() as db:
        db.execute("update schema_version set version = version + 1")
    back_up(centre.store, tmp_path / "backup")
    with centre.store.write() as db:
        db.execute("update schema_version set version = version - 1")
    centre.store.close()
    with pytest.raises(StoreError, match="newer version"):
        restore_dump(centre.store.place, tmp_path / "backup")
    centre.open()
    assert schemas(centre) == []


def test_a_backup_goes_into_a_database_without_tables(centre: Centre, cluster: Cluster, tmp_path: Path):
    centre.walk(patient(1), "scan_nfc")
    back_up(centre.store, tmp_path / "backup")
    with cluster.bare() as url:
        assert restore_dump(place_of(url, tmp_path / "other"), tmp_path / "backup").kept is None
        other = Database(url, tmp_path / "other").open()
        with other.read() as db:
            assert db.latest_change() == centre.rows("select value from counters where name = 'change'")[0]["value"]
        other.close()


def test_a_restore_that_was_interrupted_leaves_no_empty_centre_and_is_ended_by_another(centre: Centre, tmp_path: Path):
    back_up(centre.store, tmp_path / "backup")
    centre.store.close()
    alone = hold_database(centre.store.place)
    with contextlib.closing(connect_to(centre.store.place)) as connection:
        keep_tables(connection, f"{REPLACED}by_the_interrupted_one")
    alone.close()
    for _ in range(2):
        with pytest.raises(StoreError, match="a restore was interrupted: repeat it"):
            centre.open()
    restore_dump(centre.store.place, tmp_path / "backup")
    centre.open()
    assert centre.state(patient(1))["journey_state"] == "UNREGISTERED"


def test_a_backup_that_cannot_be_written_is_told(centre: Centre, tmp_path: Path):
    with pytest.raises(StoreError, match="no backup was made"):
        back_up(centre.store, tmp_path / "nowhere" / "backup")
    with pytest.raises(StoreError, match="cannot be written there"):
        back_up(centre.store, centre.store.place.state.with_name("central.keys"))
