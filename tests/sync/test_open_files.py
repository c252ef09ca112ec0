"""A database whose file is deleted, moved, replaced or cut short while it is open: at both ends."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.store.sqlite import Store as KioskStore
from kiosk.store.sqlite import StoreError as KioskStoreError
from sync.central.store.errors import InUse, StoreError, Trouble, trouble_of
from sync.central.store.sqlite import SqliteStore
from sync.open_files import FileLost

AnyStore = SqliteStore | KioskStore
KIOSK_ROW = "insert into queue_numbers values (?, 1)"
CENTRE_ROW = "insert into counters (name, value) values (:name, 1)"


def central(path: Path) -> SqliteStore:
    return SqliteStore(f"sqlite:///{path}")


BOTH_ENDS = pytest.mark.parametrize("open_store", [central, KioskStore], ids=["centre", "kiosk"])


def put(store: AnyStore, text: str) -> None:
    """One transaction with one row."""
    if isinstance(store, SqliteStore):
        with store.write() as db:
            db.execute(CENTRE_ROW, {"name": text})
    else:
        with store.write() as db:
            db.execute(KIOSK_ROW, (text,))


def texts(store: AnyStore) -> list[str]:
    if isinstance(store, SqliteStore):
        with store.read() as view:
            return [row["name"] for row in view.rows("select name from counters where name <> 'change' order by 1")]
    with store.read() as db:
        return [row[0] for row in db.execute("select site_day from queue_numbers order by 1")]


def delete(path: Path) -> None:
    path.unlink()


def delete_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def delete_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


def move_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def replace(path: Path) -> None:
    """A copy of the file takes its place, as by a tool that restores files."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


EVERY_WAY = pytest.mark.parametrize("vanish", [delete, delete_log, delete_directory, move_directory, replace])


@EVERY_WAY
@BOTH_ENDS
def test_nothing_is_acknowledged_without_the_file_and_nothing_that_was_is_lost(
    tmp_path: Path, open_store: Callable[[Path], AnyStore], vanish: Callable[[Path], None]
):
    path = tmp_path / "data" / "a.db"
    store = open_store(path)
    put(store, "A")
    vanish(path)
    for _ in range(2):
        with pytest.raises(FileLost) as found:
            put(store, "B")
    assert trouble_of(found.value) is Trouble.CANNOT_OPEN
    assert store.tend()
    with pytest.raises(FileLost):
        put(store, "B")
    store.close()
    again = open_store(path)
    assert texts(again) == ["A"]
    put(again, "C")
    assert not again.tend()
    again.close()


@BOTH_ENDS
def test_a_stop_rescues_what_nobody_has_rescued_yet(tmp_path: Path, open_store: Callable[[Path], AnyStore]):
    store = open_store(tmp_path / "a.db")
    put(store, "A")
    delete(tmp_path / "a.db")
    store.close()
    again = open_store(tmp_path / "a.db")
    assert texts(again) == ["A"]
    again.close()


@BOTH_ENDS
def test_what_has_taken_the_place_is_kept_beside_it(tmp_path: Path, open_store: Callable[[Path], AnyStore]):
    path = tmp_path / "a.db"
    store = open_store(path)
    put(store, "A")
    (tmp_path / "other").write_bytes(b"another file")
    (tmp_path / "other").replace(path)
    assert store.tend()
    store.close()
    assert (tmp_path / "a.db.stray").read_bytes() == b"another file"


@BOTH_ENDS
def test_a_directory_that_comes_back_is_as_if_nothing_had_happened(
    tmp_path: Path, open_store: Callable[[Path], AnyStore]
):
    path = tmp_path / "data" / "a.db"
    store = open_store(path)
    move_directory(path)
    with pytest.raises(FileLost):
        put(store, "A")
    (tmp_path / "moved").rename(path.parent)
    put(store, "A")
    assert not store.tend()
    store.close()


@BOTH_ENDS
def test_what_cannot_be_saved_now_is_saved_later(tmp_path: Path, open_store: Callable[[Path], AnyStore]):
    path = tmp_path / "data" / "a.db"
    store = open_store(path)
    put(store, "A")
    delete_directory(path)
    path.parent.write_text("in the way")
    with pytest.raises((OSError, StoreError, KioskStoreError)):
        store.tend()
    path.parent.unlink()
    assert store.tend()
    store.close()
    again = open_store(path)
    assert texts(again) == ["A"]
    again.close()


@BOTH_ENDS
def test_another_program_in_the_new_place_is_left_alone(tmp_path: Path, open_store: Callable[[Path], AnyStore]):
    path = tmp_path / "data" / "a.db"
    store = open_store(path)
    move_directory(path)
    other = open_store(path)
    put(other, "B")
    with pytest.raises((InUse, KioskStoreError)):
        store.tend()
    store.close()
    put(other, "C")
    assert texts(other) == ["B", "C"]
    other.close()


def test_a_centre_reads_nothing_out_of_another_file_in_the_place(tmp_path: Path):
    path = tmp_path / "a.db"
    store = central(path)
    put(store, "A")
    with store.read():  # it takes the one reader that there is
        replace(path)
        with pytest.raises(FileLost), store.read():
            pass
        with pytest.raises(FileLost):
            store.copy_to(tmp_path / "copy.db", lambda db: db.latest_change())
    store.close()


@BOTH_ENDS
def test_what_a_crash_left_of_a_rescue_is_removed(tmp_path: Path, open_store: Callable[[Path], AnyStore]):
    (tmp_path / "a.db.rescued").write_bytes(b"half of it")
    open_store(tmp_path / "a.db").close()
    assert not (tmp_path / "a.db.rescued").exists()


def test_a_kiosk_whose_file_is_cut_short_recovers_its_rows_from_what_is_open(tmp_path: Path):
    path = tmp_path / "kiosk.db"
    store = KioskStore(path)
    put(store, "A")
    os.truncate(path, 0)
    with pytest.raises(FileLost, match="was cut short"):
        put(store, "B")
    assert store.tend()
    store.close()
    again = KioskStore(path)
    with again.read() as db:
        assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
    again.close()


@BOTH_ENDS
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_second_program_under_another_name_of_the_file_is_refused(
    tmp_path: Path, open_store: Callable[[Path], AnyStore], link: Callable[[Path, Path], None]
):
    store = open_store(tmp_path / "a.db")
    (tmp_path / "elsewhere").mkdir()
    link(tmp_path / "a.db", tmp_path / "elsewhere" / "b.db")
    with pytest.raises((InUse, KioskStoreError), match="using it"):
        open_store(tmp_path / "elsewhere" / "b.db")
    put(store, "A")
    store.close()
    again = open_store(tmp_path / "elsewhere" / "b.db")
    assert texts(again) == ["A"]
    again.close()


@BOTH_ENDS
def test_an_empty_file_with_a_log_is_damaged_and_its_log_is_kept(
    tmp_path: Path, open_store: Callable[[Path], AnyStore]
):
    path, log = tmp_path / "a.db", tmp_path / "a.db-wal"
    path.touch()
    log.write_bytes(b"rows of a file that was cut short")
    if open_store is central:
        with pytest.raises(StoreError, match="its file is empty, and its log is not"):
            open_store(path)
    else:
        open_store(path).close()
        log = tmp_path / "a.db.damaged-wal"
    assert log.read_bytes() == b"rows of a file that was cut short"


def test_a_large_file_grows_and_shrinks_by_the_kiosk_alone(tmp_path: Path):
    store = KioskStore(tmp_path / "kiosk.db")
    for number in range(300):
        put(store, f"{number}" + "x" * 9000)
    with store.write() as db:
        db.execute("delete from queue_numbers")
    store.erase_traces()
    put(store, "A")
    assert texts(store) == ["A"]
    store.close()


def test_a_lost_file_is_an_error_of_the_database(tmp_path: Path):
    store = KioskStore(tmp_path / "kiosk.db")
    delete(tmp_path / "kiosk.db")
    with pytest.raises(sqlite3.OperationalError):
        store.probe()
    store.close()
