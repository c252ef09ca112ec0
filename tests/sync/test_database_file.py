"""A database whose log is checked at each opening, and its connection."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from sync.database_file import connect, empty_log, is_failed_sync, renew_log


def made(path: Path) -> sqlite3.Connection:
    """A connection to a new database."""
    path.touch()
    return connect(path)


def crash(path: Path) -> bytes:
    """Makes a database as a killed process leaves it. Returns its log."""
    db = made(path)
    db.execute("pragma journal_mode=wal")
    db.execute("create table t (n integer)")
    for number in range(3):
        db.execute("insert into t values (?)", (number,))
    kept, log = path.read_bytes(), path.with_name(f"{path.name}-wal").read_bytes()
    db.close()
    path.write_bytes(kept)
    path.with_name(f"{path.name}-wal").write_bytes(log)
    return log


def test_the_log_of_a_crash_is_written_again_and_holds_the_same(tmp_path: Path):
    path = tmp_path / "a.db"
    log, place = crash(path), tmp_path / "a.db-wal"
    before = place.stat().st_ino
    renew_log(path)
    assert (place.read_bytes(), stat.S_IMODE(place.stat().st_mode)) == (log, 0o600)
    assert place.stat().st_ino != before
    db = connect(path)
    assert [row[0] for row in db.execute("select n from t")] == [0, 1, 2]
    db.close()


def test_without_a_log_there_is_nothing_to_renew(tmp_path: Path):
    renew_log(tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_cannot_be_written_again_stays_as_it_is(tmp_path: Path):
    path = tmp_path / "a.db"
    log = crash(path)
    (tmp_path / "a.db-wal.new").mkdir()
    with pytest.raises(OSError, match=r".+"):
        renew_log(path)
    assert (tmp_path / "a.db-wal").read_bytes() == log


@pytest.mark.disk("128k")
def test_on_a_full_disk_the_log_is_written_again_in_place(small_disk: Path):
    path = small_disk / "a.db"
    log = crash(path)
    with (small_disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    renew_log(path)
    assert (small_disk / "a.db-wal").read_bytes() == log
    assert {each.name for each in small_disk.iterdir()} == {"a.db", "a.db-wal", "ballast"}


@pytest.mark.parametrize("name", ["plain.db", "a b?c#d%25.db", "병원.db"])
def test_a_database_may_have_any_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    db = made(Path(name))
    db.execute("create table t (n integer)")
    db.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_connection_never_makes_a_file(tmp_path: Path):
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        connect(tmp_path / "a.db").execute("select 1 from sqlite_master")
    assert list(tmp_path.iterdir()) == []


def test_a_commit_fills_its_last_sector(tmp_path: Path):
    sizes = []
    for number, opened in enumerate((made, lambda path: sqlite3.connect(path, isolation_level=None))):
        path = tmp_path / f"{number}.db"
        db = opened(path)
        for statement in ("pragma journal_mode=wal", "pragma synchronous=full", "create table t (n integer)"):
            db.execute(statement)
        sizes.append(os.path.getsize(f"{path}-wal"))
        db.close()
    assert sizes[0] > sizes[1]


def test_the_log_is_emptied_unless_a_reader_prevents_it(tmp_path: Path):
    path = tmp_path / "a.db"
    writer, reader = made(path), connect(path)
    for statement in ("pragma journal_mode=wal", "pragma busy_timeout=0", "create table t (n integer)"):
        writer.execute(statement)
    reader.execute("begin")
    reader.execute("select * from t").fetchall()
    writer.execute("insert into t values (1)")
    assert not empty_log(writer)
    reader.execute("rollback")
    assert empty_log(writer)
    assert os.path.getsize(f"{path}-wal") == 0
    reader.close()
    writer.close()


def test_another_failure_is_no_failed_sync():
    failed = sqlite3.OperationalError("disk I/O error")
    assert not is_failed_sync(failed)
    failed.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    assert is_failed_sync(failed)
    assert not is_failed_sync(KeyError())
