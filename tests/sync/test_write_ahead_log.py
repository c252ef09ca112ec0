"""The log of a writing connection: copied back before it grows long, and never added to after a failed sync."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.database_file import connect
from sync.write_ahead_log import CHECKPOINT_PAGES, EARLY, PAGES_A_ROW, WriteAheadLog

FIRST_ROWS = CHECKPOINT_PAGES // PAGES_A_ROW


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    (tmp_path / "a.db").touch()
    connection = connect(tmp_path / "a.db")
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table t (x)")
    yield connection
    connection.close()


def insert(writer: sqlite3.Connection, log: WriteAheadLog, rows: int) -> None:
    log.begin()
    writer.execute("begin immediate")
    writer.executemany("insert into t values (?)", [("x" * 100,)] * rows)
    writer.execute("commit")
    log.commit()


def rows_without_the_log(tmp_path: Path) -> int:
    """The rows that the database file alone holds."""
    copy = tmp_path / "copy.db"
    copy.write_bytes((tmp_path / "a.db").read_bytes())
    with sqlite3.connect(f"{copy.as_uri()}?immutable=1", uri=True) as alone:
        return int(alone.execute("select count(*) from sqlite_master").fetchone()[0]) and int(
            alone.execute("select count(*) from t").fetchone()[0]
        )


def test_a_log_is_copied_back_when_it_has_grown_long_and_not_before(writer: sqlite3.Connection, tmp_path: Path):
    log, length = WriteAheadLog(writer), tmp_path / "a.db-wal"
    insert(writer, log, FIRST_ROWS - 1)
    assert rows_without_the_log(tmp_path) == 0
    insert(writer, log, 1)
    assert rows_without_the_log(tmp_path) == FIRST_ROWS
    for _ in range(2000):
        insert(writer, log, 10)
    assert rows_without_the_log(tmp_path) > 10_000
    assert CHECKPOINT_PAGES / 4 < length.stat().st_size / 4096 < CHECKPOINT_PAGES * 4


def test_many_small_rows_in_the_background_do_not_let_the_log_of_people_grow_long(
    writer: sqlite3.Connection, tmp_path: Path
):
    log, length = WriteAheadLog(writer), tmp_path / "a.db-wal"
    for _ in range(200):
        writer.execute("begin immediate")
        writer.executemany("insert into t values (?)", [("x",)] * 300)
        writer.execute("commit")
        log.commit(in_background=True)
    for _ in range(5000):
        writer.execute("begin immediate")
        writer.execute("insert into t values (?)", ("x" * 3000,))
        writer.execute("commit")
        log.commit()
    assert length.stat().st_size / 4096 < CHECKPOINT_PAGES * 4


def test_work_in_the_background_copies_a_log_back_early(writer: sqlite3.Connection, tmp_path: Path):
    log = WriteAheadLog(writer)
    rows = int(FIRST_ROWS * EARLY)
    writer.executemany("insert into t values (?)", [("x" * 100,)] * (rows - 1))
    log.commit(in_background=True)
    assert rows_without_the_log(tmp_path) == 0
    writer.execute("insert into t values (?)", ("x",))
    log.commit(in_background=True, is_wanted=True)
    log.commit()
    assert rows_without_the_log(tmp_path) == 0
    log.commit(in_background=True)
    assert rows_without_the_log(tmp_path) == rows


def test_between_transactions_a_log_is_copied_back_early(writer: sqlite3.Connection, tmp_path: Path):
    log, rows = WriteAheadLog(writer), int(FIRST_ROWS * EARLY)
    insert(writer, log, rows - 1)
    log.copy_early()
    assert rows_without_the_log(tmp_path) == 0
    insert(writer, log, 1)
    assert rows_without_the_log(tmp_path) == 0
    log.copy_early()
    assert rows_without_the_log(tmp_path) == rows


def test_sqlite_itself_makes_no_checkpoint_behind_our_back(writer: sqlite3.Connection, tmp_path: Path):
    log = WriteAheadLog(writer)
    log.begin()
    for _ in range(3):
        writer.execute("begin immediate")
        writer.executemany("insert into t values (?)", [("x" * 100,)] * 100_000)
        writer.execute("commit")
    assert rows_without_the_log(tmp_path) == 0


def test_after_a_failed_sync_the_log_is_emptied_before_the_next_transaction(writer: sqlite3.Connection, tmp_path: Path):
    log = WriteAheadLog(writer)
    insert(writer, log, FIRST_ROWS - 1)
    failed = sqlite3.OperationalError("disk I/O error")
    failed.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    log.fail(failed)
    assert not log.is_sound
    log.copy_early()
    assert rows_without_the_log(tmp_path) == 0
    log.begin()
    assert log.is_sound
    assert (tmp_path / "a.db-wal").stat().st_size == 0


def test_another_error_leaves_the_log(writer: sqlite3.Connection):
    log = WriteAheadLog(writer)
    for error in (sqlite3.OperationalError("locked"), KeyError(), KeyboardInterrupt()):
        log.fail(error)
    assert log.is_sound


def test_a_checkpoint_that_a_reader_holds_up_is_no_error_and_comes_later(writer: sqlite3.Connection, tmp_path: Path):
    log = WriteAheadLog(writer)
    reader = connect(tmp_path / "a.db")
    reader.execute("begin")
    reader.execute("select count(*) from t").fetchone()
    insert(writer, log, FIRST_ROWS)
    assert log.is_sound
    assert rows_without_the_log(tmp_path) == 0
    reader.close()
    insert(writer, log, 4 * FIRST_ROWS)
    assert rows_without_the_log(tmp_path) == 5 * FIRST_ROWS
