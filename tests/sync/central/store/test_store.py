"""The store on each database: one writer, separate readers, whole transactions, and news of committed changes."""

import sqlite3
import threading
from pathlib import Path

import pytest

from sync.central.store.errors import InUse, StoreError
from sync.central.store.interface import Store
from sync.central.store.opening import open_store
from sync.central.store.schema import SCHEMA_VERSION
from sync.central.store.transactions import any_of, each_of
from tests.sync.central.databases import Database


def prefixes(store: Store) -> list[str]:
    with store.read() as db:
        return [row["name"] for row in db.rows("select name from counters where name <> 'change' order by name")]


class Undone(Exception):
    """Raised by a test to undo a transaction."""


def undo(*_: object) -> None:
    raise Undone


def put(db, prefix: str) -> None:
    db.execute("insert into counters (name, value) values (:prefix, 1)", {"prefix": prefix})


def at(name: str, value: int) -> dict[str, object]:
    return {"name": name, "day": "2026-03-02", "value": value}


def test_a_transaction_is_whole_or_not_at_all(store: Store):
    with store.write() as db:
        put(db, "A")
    with pytest.raises(Undone), store.write() as db:
        undo(put(db, "B"))
    assert prefixes(store) == ["A"]


def test_a_savepoint_undoes_its_part_and_its_news_alone(store: Store):
    with store.write() as db:
        put(db, "A")
        db.announce(1, "p1")
        with pytest.raises(Undone), db.savepoint():
            undo(put(db, "B"), db.announce(2, "p2"))
        with db.savepoint():
            put(db, "C")
            db.announce(3, "p3")
        assert [note.topic for note in db.news] == ["p1", "p3"]
    assert prefixes(store) == ["A", "C"]


def test_no_value_is_in_an_empty_set(store: Store):
    with store.write() as db:
        for names, parameters in (any_of("name", ()), each_of("name", ())):
            for condition, number in ((f"name in {names}", 0), (f"name not in {names}", 1)):
                assert db.value(f"select count(*) from counters where {condition}", **parameters) == number


def test_news_come_after_the_commit_and_never_from_an_undone_transaction(store: Store):
    heard = []

    def listen(note) -> None:
        heard.append((note.number, prefixes(store)))

    with store.news.listen("p1", listen):
        with store.write() as db:
            put(db, "A")
            db.announce(db.next_change(), "p1", "scan_nfc", "id")
            assert heard == []
        with pytest.raises(Undone), store.write() as db:
            undo(db.announce(db.next_change(), "p1"))
    assert heard == [(1, ["A"])]


def test_readers_see_one_moment_and_cannot_write(store: Store):
    with store.read() as before:
        assert before.rows("select * from counters where name <> 'change'") == []
        with store.write() as db:
            put(db, "A")
        assert before.rows("select * from counters where name <> 'change'") == []
        with pytest.raises(sqlite3.OperationalError, match=r"readonly|read-only"):
            put(before, "B")
    assert prefixes(store) == ["A"]


def test_writers_take_turns_and_every_change_number_is_taken_once(store: Store):
    taken = []

    def work() -> None:
        for _ in range(20):
            with store.write() as db:
                taken.append(db.next_change())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == list(range(1, 161))
    with store.read() as db:
        assert db.latest_change() == 160


def test_a_commit_that_fails_leaves_no_transaction_open(store: Store):
    with store.write() as db:
        db.execute("create table child (id text references patients (patient_id) deferrable initially deferred)")
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute("insert into child values ('nobody')")
    with store.write() as db:
        put(db, "A")
    assert prefixes(store) == ["A"]


def test_a_second_service_is_refused(store: Store, database: Database):
    with pytest.raises(InUse, match="another"):
        database.open()


def test_a_database_of_a_newer_version_is_refused_untouched(database: Database):
    store = database.open()
    with store.write() as db:
        db.execute("update schema_version set version = :newer", {"newer": SCHEMA_VERSION + 1})
    store.close()
    with pytest.raises(StoreError, match="newer version"):
        database.open()


def test_rows_are_there_after_the_next_opening(database: Database):
    store = database.open()
    with store.write() as db:
        put(db, "A")
    store.close()
    again = database.open()
    assert prefixes(again) == ["A"]
    again.close()


def test_rows_are_read_by_place_and_by_name(store: Store):
    with store.write() as db:
        put(db, "A")
        row = db.row("select name, value, value > 0 as given from counters where name <> 'change'")
        assert row is not None
        assert (row["name"], row[1], row["given"], row[:2], len(row)) == ("A", 1, 1, ("A", 1), 3)
        assert (dict(row), list(row)) == ({"name": "A", "value": 1, "given": 1}, ["A", 1, 1])
        with pytest.raises(IndexError):
            row["other"]


def test_numbers_texts_and_truths_come_as_they_went(store: Store):
    with store.write() as db:
        for number, prefix in enumerate(("%", "가", ":a", "?", "'", "")):
            db.execute("insert into counters values (:name, :day, :value)", at(prefix, 2**62 + number))
        db.executemany("insert into counters values (?, ?, ?)", [("%s", "2", True), ("%(a)s", "2", False)])
        assert db.value("select sum(value) from counters where site_day = :day", day="2") == 1
        rows = db.rows_at_once("select name, value from counters where value >= :least", 2, {"least": 2**62})
        assert sorted(value - 2**62 for _, value in rows) == list(range(6))
        assert db.value("select count(*) from counters where name like '%' || :sign || '%'", sign="s") == 2


def test_text_is_sorted_by_its_bytes(store: Store):
    with store.write() as db:
        for prefix in ("b", "B", "a", "é", "Z", "가", "_", "1"):
            put(db, prefix)
    assert prefixes(store) == ["1", "B", "Z", "_", "a", "b", "é", "가"]


def test_a_glance_sees_what_is_committed(store: Store):
    with store.write() as db:
        put(db, "A")
        with store.glance() as other:
            assert other.value("select count(*) from counters where name <> 'change'") == 0
    with store.glance() as other:
        assert other.value("select count(*) from counters where name <> 'change'") == 1


def test_types_and_keys_are_checked(store: Store):
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute("insert into patient_aliases values ('a', 'nobody', 0, 0)")
    with pytest.raises((sqlite3.IntegrityError, sqlite3.DataError)), store.write() as db:
        db.execute("insert into counters (name, value) values ('A', 'many')")


def test_a_database_that_is_not_there_is_not_made_unasked(database: Database, tmp_path: Path, empty_url: str):
    with pytest.raises(StoreError, match="kiosk-central run --create"):
        open_store(empty_url, tmp_path, create=False)
    open_store(empty_url, tmp_path, create=True).close()
    open_store(empty_url, tmp_path, create=False).close()
