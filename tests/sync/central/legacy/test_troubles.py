"""What goes wrong at a migration: other databases, a running old system, a full disk, a kill. Nothing is half done."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import sleep

import psycopg
import pytest

from sync.central.legacy.reasons import Reason
from sync.central.store.errors import StoreError
from tests.sync.central.databases import Database
from tests.sync.central.legacy.way import Way

COMMAND = [sys.executable, "-m", "sync.central", "migrate-legacy"]


@pytest.fixture
def on_file(spoilt_file: Path, tmp_path: Path) -> Way:
    """The way between two files of SQLite."""
    file = shutil.copy(spoilt_file, tmp_path / "old.sqlite3")
    return Way(tmp_path, f"sqlite:///{file}", Database(f"sqlite:///{tmp_path}/centre.db"))


def nothing(path: Path) -> None:
    path.unlink(missing_ok=True)


def an_empty_file(path: Path) -> None:
    path.write_bytes(b"")


def a_text(path: Path) -> None:
    path.write_text("no database at all " * 100)


def another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table app_queue (queue_id integer primary key, name text)")


OTHERS: dict[Callable[[Path], None], str] = {
    nothing: "there is no such file",
    an_empty_file: "there is no table app_appointment",
    a_text: "file is not a database",
    another_program: "there is no table app_appointment",
}


@pytest.mark.parametrize("make", OTHERS)
def test_a_database_that_is_not_the_old_system_is_refused_and_stays(on_file: Way, make: Callable[[Path], None]):
    path = Path(on_file.old.removeprefix("sqlite:///"))
    make(path)
    before = path.read_bytes() if path.exists() else None, on_file.centre_rows()
    for order in (on_file.migrate, on_file.rename):
        with pytest.raises(StoreError, match=OTHERS[make]):
            order()
    assert (path.read_bytes() if path.exists() else None, on_file.centre_rows()) == before


def test_a_table_without_a_column_that_is_needed_is_refused(way: Way):
    way.change_old("alter table app_queue rename column state to status")
    with pytest.raises(StoreError, match="the table app_queue has no column state"):
        way.migrate()


def test_a_centre_is_no_old_database_and_an_old_database_no_centre(on_file: Way):
    before = on_file.old_rows(), on_file.centre_rows()
    on_file.old, here = on_file.database.url, on_file.old
    with pytest.raises(StoreError, match="this is the database of a centre, and not of an old system"):
        on_file.rename()
    on_file.old, on_file.database = here, Database(here)
    for order in (on_file.migrate, on_file.revert, on_file.forget):
        with pytest.raises(StoreError, match="there is no centre in this database"):
            order()
    on_file.database = Database(f"sqlite:///{on_file.directory}/centre.db")
    assert (on_file.old_rows(), on_file.centre_rows()) == before


def test_an_old_system_in_the_middle_of_a_write_is_told_to_stop(way: Way):
    before = way.centre_rows()
    connect = psycopg.connect if way.database.is_postgresql else _connect
    with closing(connect(way.old)) as django:
        django.execute("update app_queue set priority = 1")
        for order in (way.migrate, way.rename):
            with pytest.raises(StoreError, match="the old system is using it: stop it"):
                order()
        django.rollback()
    assert way.centre_rows() == before
    way.migrate()


def _connect(url: str) -> sqlite3.Connection:
    return sqlite3.connect(url.removeprefix("sqlite:///"))


def test_the_running_centre_is_not_migrated_into(way: Way):
    with way.centre(), pytest.raises(StoreError, match=r"another process|is using"):
        way.migrate()


@pytest.mark.disk("1500k")
def test_a_full_disk_of_the_centre_leaves_it_as_it_was(on_file: Way, small_disk: Path):
    on_file.fill(800)
    for file in on_file.directory.glob("centre.db*"):
        shutil.copy(file, small_disk)
    on_file.database = Database(f"sqlite:///{small_disk}/centre.db")
    before = on_file.centre_rows()
    with pytest.raises((StoreError, sqlite3.Error), match="full"):
        on_file.migrate()
    assert on_file.centre_rows() == before


@pytest.mark.disk("64k")
def test_a_backup_that_finds_no_room_ends_the_order(on_file: Way, small_disk: Path):
    old = on_file.old_rows(), on_file.centre_rows()
    on_file.files = small_disk
    for order in (on_file.migrate, on_file.rename):
        with pytest.raises(StoreError, match=r"[Nn]o space|disk.* full|disk is full"):
            order()
    assert (on_file.old_rows(), on_file.centre_rows()) == old
    assert not list(small_disk.glob("*.backup*"))


@pytest.mark.processes
@pytest.mark.parametrize("seen", ["old-database.backup", "centre.backup", "centre.db-wal"])
def test_a_killed_migration_is_whole_or_was_never_begun(on_file: Way, seen: str):
    on_file.fill(800)
    before, old = on_file.centre_rows(), on_file.old_rows()
    place = on_file.directory if seen.startswith("centre.db") else on_file.directory / "files"
    _killed(on_file, place / seen, "--from", on_file.old, "--to", on_file.database.url)
    assert on_file.old_rows() == old
    if on_file.centre_rows() == before:
        on_file.migrate()
    assert on_file.health().ok
    on_file.revert()
    assert on_file.old_rows() == old


@pytest.mark.processes
def test_killed_new_names_are_whole_or_were_never_begun(on_file: Way):
    on_file.fill(800)
    before = on_file.old_rows()
    _killed(on_file, on_file.directory / "files/old-database.backup", "--from", on_file.old, "--in-place")
    if on_file.old_rows() == before:
        on_file.rename()
    on_file.rename_back()
    assert on_file.old_rows() == before


@pytest.mark.processes
def test_a_killed_way_back_is_whole_or_was_never_begun(on_file: Way):
    on_file.fill(800)
    on_file.migrate()
    with on_file.centre() as centre:
        centre.walk("S900011", "call_patient")
    before = on_file.old_rows()
    words = ("--revert", "--from", on_file.database.url, "--to", on_file.old)
    _killed(on_file, on_file.directory / "files/old-database.backup-2", *words)
    was_begun = on_file.old_rows() != before
    given = on_file.revert()
    assert (given is None) == was_begun
    assert sum(on_file.old_rows()[table] != rows for table, rows in before.items()) == 4


def _killed(way: Way, seen: Path, *words: str) -> None:
    """Gives an order, and kills it as soon as a file is there."""
    files = ("--files", str(way.directory / "files"), "--layout", str(way.layout_file))
    process = subprocess.Popen([*COMMAND, *words, *files], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not (seen.exists() or seen.with_name(seen.name + ".part").exists()) and process.poll() is None:
        sleep(0.001)
    process.kill()
    _, error = process.communicate()
    assert process.returncode in (0, -9), error


def test_bytes_that_are_no_text_go_over_and_come_back_as_they_were(on_file: Way):
    path = on_file.old.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as made, made:
        number = "update app_queue set queue_number = {}, priority = {} where queue_id = {}"
        made.execute(number.format("cast(x'ff00fe' as text)", "1e-300", 2))
        made.execute(number.format("x'0102'", "9223372036854775807", 3))
        made.execute(number.format("'a' || char(0) || 'b'", "1e999", 4))
        made.execute("update app_statetransition set metadata = '{\"a\": \"' || char(0) || '\"}', trigger_type = x'80'")
        made.execute("update app_appointment set appointment_id = ? where appointment_id = 'A7-0'", ("x" * 500,))
        made.execute("update app_queuestatuslog set reason = ? where id = 1", ("a\0b" + "x" * 500,))
    before = on_file.old_rows()
    codes = {code for each in on_file.migrate().tallies for code in each.reasons}
    assert {Reason.UNUSABLE_ID.code, Reason.NUMBER.code, Reason.METADATA.code} <= codes
    assert on_file.health().ok
    on_file.revert()
    assert on_file.old_rows() == before
