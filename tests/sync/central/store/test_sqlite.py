"""The store on SQLite: one writer, separate readers, whole transactions, and news of committed changes only."""

import sqlite3
import threading

import pytest

from sync.central.store.errors import InUse, StoreError
from sync.central.store.news import News, PatientChanged, TokenRevoked
from sync.central.store.place import database_path
from sync.central.store.schema import SCHEMA_VERSION
from sync.central.store.sqlite import Store


@pytest.fixture
def store(tmp_path):
    made = Store(f"sqlite:///{tmp_path}/deep/er/centre.db")
    yield made
    made.close()


def prefixes(store: Store) -> list[str]:
    with store.read() as db:
        return [row["name"] for row in db.rows("select name from counters where name <> 'change' order by name")]


class Undone(Exception):
    """Raised by a test to undo a transaction."""


def undo(*_: object) -> None:
    raise Undone


def put(db, prefix: str) -> None:
    db.execute("insert into counters (name, value) values (:prefix, 1)", {"prefix": prefix})


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
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
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


def test_a_commit_survives_a_power_cut_and_keys_are_checked(store: Store):
    with store.write() as db:
        assert db.value("pragma journal_mode") == "wal"
        assert db.value("pragma synchronous") == 2
        assert db.value("pragma foreign_keys") == 1
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute("insert into patient_aliases values ('a', 'nobody', 0, 0)")
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute("insert into counters (name, value) values ('A', 'many')")


def test_a_full_disk_fails_cleanly_and_nothing_is_half_written(store: Store):
    with store.write() as db:
        pages = db.value("pragma page_count")
        db.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"), store.write() as db:
        db.executemany("insert into counters (name, value) values (?, 1)", ((f"{n:08d}",) for n in range(10_000)))
    assert prefixes(store) == []
    with store.write() as db:
        db.execute("pragma max_page_count = 1000000")
    with store.write() as db:
        put(db, "A")
    assert prefixes(store) == ["A"]


def test_a_commit_that_fails_leaves_no_transaction_open(store: Store):
    with store.write() as db:
        db.execute("create table child (id text references patients (patient_id) deferrable initially deferred)")
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute("insert into child values ('nobody')")
    with store.write() as db:
        put(db, "A")
    assert prefixes(store) == ["A"]


def test_only_its_owner_may_read_the_file(store: Store):
    assert store.path.stat().st_mode & 0o077 == 0


def test_a_second_process_is_refused(store: Store):
    with pytest.raises(InUse, match="another process"):
        Store(f"sqlite:///{store.path}")


@pytest.mark.parametrize(
    "url", ["", "centre.db", "postgresql://host/db", "sqlite://centre.db", "sqlite:///", "x" * 999]
)
def test_an_invalid_url_is_refused_with_an_example(url):
    with pytest.raises(StoreError, match=r"sqlite:///path/to/file\.db"):
        database_path(url)


def test_a_url_names_a_relative_or_an_absolute_path():
    assert str(database_path("sqlite:///a/b%20c.db")) == "a/b c.db"
    assert str(database_path("sqlite:////a/b.db")) == "/a/b.db"


def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (f"{tmp_path}/file/centre.db", f"{tmp_path}/%00.db"):
        with pytest.raises(StoreError):
            Store(f"sqlite:///{place}")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        Store(f"sqlite:///{tmp_path}/folder")


def test_a_file_that_is_no_database_is_refused_and_unlocked(tmp_path):
    path = tmp_path / "centre.db"
    path.write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a database"):
            Store(f"sqlite:///{path}")


def test_a_damaged_database_is_refused(tmp_path):
    path = tmp_path / "centre.db"
    store = Store(f"sqlite:///{path}")
    with store.write() as db:
        for number in range(3000):
            put(db, f"{number:05d}")
        root = db.value("select rootpage from sqlite_master where name = 'counters'")
        size = db.value("pragma page_size")
    store.close()
    content = bytearray(path.read_bytes())
    content[root * size - size + 8 : root * size - size + 60] = b"\xff" * 52
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        Store(f"sqlite:///{path}")


def test_damage_whose_message_is_no_utf8_is_refused_and_unlocked(tmp_path):
    file = tmp_path / "centre.db"
    Store(f"sqlite:///{file}").close()
    content = file.read_bytes()
    for sound, damaged in ((b"kioskskiosks", b"k\x99oskskiosks"), (b"CREATE TABLE kiosks", b"CREATE TABLE ( osks")):
        assert sound in content
        content = content.replace(sound, damaged)
    file.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreError, match="decode"):
            Store(f"sqlite:///{file}")


def test_a_database_of_a_newer_version_is_refused_untouched(tmp_path):
    url = f"sqlite:///{tmp_path}/centre.db"
    store = Store(url)
    with store.write() as db:
        db.execute("update schema_version set version = :newer", {"newer": SCHEMA_VERSION + 1})
    store.close()
    with pytest.raises(StoreError, match="newer version"):
        Store(url)


def test_a_migration_that_fails_leaves_the_earlier_version(tmp_path):
    path = tmp_path / "centre.db"
    connection = sqlite3.connect(path)
    connection.execute("create table counters (in_the_way text)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="already exists"):
        Store(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    assert connection.execute("select count(*) from schema_version").fetchone() == (0,)
    assert connection.execute("select name from sqlite_master where name = 'site'").fetchone() is None
    connection.close()


def test_rows_are_there_after_the_next_opening(tmp_path):
    url = f"sqlite:///{tmp_path}/centre.db"
    store = Store(url)
    with store.write() as db:
        put(db, "A")
    store.close()
    again = Store(url)
    assert prefixes(again) == ["A"]
    again.close()


def test_who_follows_hears_of_each_announcement_and_of_the_end():
    news, heard = News(), []
    news.announce([PatientChanged(3, "p0")])
    news.follow(lambda: heard.append(news.latest), lambda: heard.append("end"))
    news.announce([PatientChanged(5, "p1"), TokenRevoked("hash")])
    news.announce([PatientChanged(4, "p2")])
    news.close()
    assert heard == [5, 5, "end"]


def test_listeners_get_their_own_topic_and_only_while_they_listen():
    news, heard = News(), []
    with news.listen("p1", heard.append), news.listen("p1", heard.append):
        news.announce([PatientChanged(1, "p1"), PatientChanged(2, "p2")])
    news.announce([PatientChanged(3, "p1")])
    assert heard == [PatientChanged(1, "p1")] * 2
