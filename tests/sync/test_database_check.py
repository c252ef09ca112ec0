"""The whole file of a database is checked before its use, or beside it after a clean stop: at both ends."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.appliance.disk import disk_faults
from kiosk.store.damage import kept_files
from kiosk.store.sqlite import Store as KioskStore
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.restore import restore
from sync.central.store.errors import StoreError
from sync.central.store.sqlite import SqliteStore
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.database_check import BackgroundCheck, mark_path, note_clean_stop, take_clean_stop
from tests.kiosk import samples
from tests.sync.central.centre import Centre, patient


def central(path: Path) -> SqliteStore:
    return SqliteStore(f"sqlite:///{path}")


def is_refused(path: Path) -> None:
    for _ in range(2):
        with pytest.raises(StoreError, match=r"a\.db: the database is damaged"):
            central(path)


def is_recovered(path: Path) -> None:
    KioskStore(path).close()
    assert kept_files(path) == [path.with_name("a.db.damaged")]


BOTH_ENDS = pytest.mark.parametrize(
    ("open_store", "at_next_start"), [(central, is_refused), (KioskStore, is_recovered)], ids=["centre", "kiosk"]
)


def is_checked_first(open_store: Callable[[Path], SqliteStore | KioskStore], path: Path) -> bool:
    """Whether an opening of the database checks the file before its use."""
    store = open_store(path)
    check = store.check_in_background()
    store.close()
    return check is None


def checked(store: SqliteStore | KioskStore) -> str | None:
    """The damage that the check in the background finds."""
    check = store.check_in_background()
    assert check is not None
    check.wait()
    return store.damage


def rot(path: Path, table: str) -> None:
    """Overwrites the first page of a table, as a failing medium may: the file looks untouched."""
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("select rootpage from sqlite_master where name = ?", (table,)).fetchone()
        (size,) = db.execute("pragma page_size").fetchone()
    before = path.stat()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@BOTH_ENDS
def test_after_a_clean_stop_the_next_start_checks_beside_its_work(tmp_path: Path, open_store, at_next_start):
    path = tmp_path / "a.db"
    assert is_checked_first(open_store, path), "the first opening makes the file"
    assert not is_checked_first(open_store, path)
    assert not is_checked_first(open_store, path)


@BOTH_ENDS
def test_a_running_program_leaves_no_mark_so_a_crash_leaves_none(tmp_path: Path, open_store, at_next_start):
    path = tmp_path / "a.db"
    open_store(path).close()
    assert mark_path(path).exists()
    store = open_store(path)
    assert not mark_path(path).exists()
    store.close()


@BOTH_ENDS
@pytest.mark.parametrize("change", ["a copy", "a write", "a log", "another mark", "half a mark"])
def test_another_file_than_the_one_that_was_closed_is_checked_first(
    tmp_path: Path, open_store, at_next_start, change: str
):
    path = tmp_path / "a.db"
    open_store(path).close()
    if change == "a copy":
        shutil.copy2(path, tmp_path / "copy.db")
        (tmp_path / "copy.db").replace(path)
    elif change == "a write":
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table other (n integer)")
    elif change == "a log":
        path.with_name("a.db-wal").write_bytes(b"\0" * 64)
    elif change == "another mark":
        mark_path(path).write_bytes(b'{"inode":1,"size":1,"mtime_ns":1}')
    else:
        mark_path(path).write_bytes(mark_path(path).read_bytes()[:10])
    assert is_checked_first(open_store, path)


def test_a_restored_database_is_checked_first_and_so_is_a_backup(tmp_path: Path):
    path = tmp_path / "a.db"
    centre = Centre(tmp_path)
    back_up(centre.store, tmp_path / "backup.db")
    centre.store.close()
    restore(centre.store.path, tmp_path / "backup.db")
    assert is_checked_first(central, centre.store.path)
    assert is_checked_first(central, tmp_path / "backup.db")
    assert not path.exists()


@BOTH_ENDS
def test_damage_that_came_while_it_was_off_is_found_beside_the_work(tmp_path: Path, open_store, at_next_start):
    path = tmp_path / "a.db"
    open_store(path).close()
    rot(path, "audit")
    store = open_store(path)
    damage = checked(store)
    assert damage is not None
    assert damage.startswith("the database is damaged: ")
    store.close()
    at_next_start(path)


def test_a_damaged_centre_says_so_to_operators_and_monitors_and_goes_on(tmp_path: Path):
    centre = Centre(tmp_path)
    centre.store.close()
    rot(centre.store.path, "proofs")
    centre.open()
    damage = checked(centre.store)
    found = centre.do("check")
    assert (found["ok"], found["damage"]) == (False, damage)
    health = create_app(centre.parts, SocketPlaces(1)).test_client().get("/healthz")
    assert (health.status_code, health.json) == (503, {"status": "damaged"})
    assert centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")["journey_state"] == "WAITING"
    centre.store.close()


def test_a_damaged_kiosk_says_so_and_its_actions_can_still_be_read(tmp_path: Path):
    parts = samples.enrolled(tmp_path, samples.Clock(), samples.row(1))
    parts.journeys.tap(samples.KEYS.hashes(samples.uid(1)), ("scan_nfc",))
    with parts.store.read() as db:
        actions = db.execute("select action_id, body from outbox").fetchall()
    parts.store.close()
    rot(parts.store.path, "audit")
    store = KioskStore(parts.store.path)
    checked(store)
    (fault, *_) = disk_faults(store)
    assert fault.startswith("the database is damaged: ")
    with store.read() as db:
        assert db.execute("select action_id, body from outbox").fetchall() == actions != []
    store.close()


def test_a_stop_ends_a_check_that_has_not_ended(tmp_path: Path):
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table numbers (n integer)")
        db.executemany("insert into numbers values (?)", ((n,) for n in range(200_000)))
    check = BackgroundCheck(path)
    check.start()
    check.stop()
    assert check.damage is None


@pytest.mark.disk("128k")
def test_a_stop_on_a_full_disk_leaves_no_mark_and_no_error(small_disk: Path):
    path = small_disk / "a.db"
    path.write_bytes(b"")
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_bsize))
    note_clean_stop(path)
    assert not mark_path(path).exists()
    assert not take_clean_stop(path)
