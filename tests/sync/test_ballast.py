"""The ballast beside a database, on small real disks: room for the last writes, a stop and a start on a full disk."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.store.sqlite import Store as KioskStore
from sync.ballast import BALLAST_BYTES, Ballast, is_full
from sync.central.maintenance.disk import look_at_disk
from sync.central.opening import open_centre
from sync.central.store.errors import Trouble
from sync.central.store.sqlite import SqliteStore
from tests.sync.test_open_files import BOTH_ENDS, AnyStore, put, texts

DISK = pytest.mark.disk("48m")


def fill(disk: Path) -> Path:
    """A file that takes all the room that is left."""
    rest = disk / "rest"
    free = os.statvfs(disk)
    with rest.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize))
    return rest


def put_until_full(store: AnyStore) -> None:
    """Transactions until one fails for lack of room."""

    def put_all() -> None:
        for number in itertools.count():
            put(store, f"{number:06d}" + "x" * 20_000)

    with pytest.raises(sqlite3.Error) as failed:
        put_all()
    assert is_full(failed.value)


@DISK
@BOTH_ENDS
def test_a_full_disk_takes_more_once_the_ballast_is_gone_and_gets_it_back(
    small_disk: Path, open_store: Callable[[Path], AnyStore]
):
    store = open_store(small_disk / "a.db")
    store.tend()
    assert store.ballast.path.stat().st_size == BALLAST_BYTES
    rest = fill(small_disk)
    put_until_full(store)
    assert not store.ballast.is_there
    put(store, "B")
    rest.unlink()
    store.tend()
    assert store.ballast.is_there
    assert "B" in texts(store)
    store.close()


@DISK
@BOTH_ENDS
def test_the_ballast_goes_before_a_write_fails_where_somebody_looks(
    small_disk: Path, open_store: Callable[[Path], AnyStore]
):
    store = open_store(small_disk / "a.db")
    store.tend()
    fill(small_disk)
    store.tend()
    put(store, "A")
    store.close()


@DISK
@BOTH_ENDS
def test_a_program_starts_on_a_full_disk_by_its_ballast(small_disk: Path, open_store: Callable[[Path], AnyStore]):
    store = open_store(small_disk / "a.db")
    put(store, "A")
    store.tend()
    store.close()
    fill(small_disk)
    again = open_store(small_disk / "a.db")
    assert texts(again) == ["A"]
    put(again, "B")
    again.close()


@pytest.mark.disk("2m")
def test_a_centre_with_room_for_its_index_alone_starts_and_reads_and_takes_writes_later(small_disk: Path):
    url = f"sqlite:///{small_disk}/centre.db"
    open_centre(url).store.close()
    rest = fill(small_disk)
    os.truncate(rest, rest.stat().st_size - 40 * 1024)  # the index of the log takes 32 KiB
    centre = open_centre(url, create=False)
    assert Trouble.DISK_FULL in (look_at_disk(centre.store).trouble for _ in range(100))
    with centre.store.read() as db:
        assert db.latest_change() == 0
    rest.unlink()
    assert look_at_disk(centre.store).trouble is None
    centre.store.close()


@pytest.mark.disk("24m")
def test_a_small_disk_gets_no_ballast_that_would_fill_it(small_disk: Path):
    ballast = Ballast(small_disk / "a.db")
    ballast.tend()
    assert not ballast.is_there
    assert not ballast.release()


def test_other_failures_are_no_full_disk(tmp_path: Path):
    assert not is_full(sqlite3.OperationalError("disk I/O error"))
    assert not is_full(FileNotFoundError(2, "no"))
    assert not is_full(KeyError())
    assert isinstance(SqliteStore(f"sqlite:///{tmp_path}/a.db").ballast, Ballast)
    assert isinstance(KioskStore(tmp_path / "b.db").ballast, Ballast)
