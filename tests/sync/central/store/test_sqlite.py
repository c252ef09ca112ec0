"""The store on SQLite: its file, and what is wrong with files."""

import sqlite3

import pytest

from sync.central.store.errors import StoreError
from sync.central.store.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(f"sqlite:///{tmp_path}/deep/er/centre.db")
    yield made
    made.close()


def prefixes(store: SqliteStore) -> list[str]:
    with store.read() as db:
        return [row["name"] for row in db.rows("select name from counters where name <> 'change' order by name")]


def put(db, prefix: str) -> None:
    db.execute("insert into counters (name, value) values (:prefix, 1)", {"prefix": prefix})


def test_a_commit_survives_a_power_cut_and_keys_are_checked(store: SqliteStore):
    with store.write() as db:
        assert db.value("pragma journal_mode") == "wal"
        assert db.value("pragma synchronous") == 2
        assert db.value("pragma foreign_keys") == 1
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute("insert into patient_aliases values ('a', 'nobody', 0, 0)")
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute("insert into counters (name, value) values ('A', 'many')")


def test_a_full_disk_fails_cleanly_and_nothing_is_half_written(store: SqliteStore):
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


def test_only_its_owner_may_read_the_file(store: SqliteStore):
    assert store.path.stat().st_mode & 0o077 == 0


def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (f"{tmp_path}/file/centre.db", f"{tmp_path}/%00.db"):
        with pytest.raises(StoreError):
            SqliteStore(f"sqlite:///{place}")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        SqliteStore(f"sqlite:///{tmp_path}/folder")


def test_a_file_that_is_no_database_is_refused_and_unlocked(tmp_path):
    path = tmp_path / "centre.db"
    path.write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a database"):
            SqliteStore(f"sqlite:///{path}")


def test_a_damaged_database_is_refused(tmp_path):
    path = tmp_path / "centre.db"
    store = SqliteStore(f"sqlite:///{path}")
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
        SqliteStore(f"sqlite:///{path}")


def test_damage_whose_message_is_no_utf8_is_refused_and_unlocked(tmp_path):
    file = tmp_path / "centre.db"
    SqliteStore(f"sqlite:///{file}").close()
    content = file.read_bytes()
    for sound, damaged in ((b"kioskskiosks", b"k\x99oskskiosks"), (b"CREATE TABLE kiosks", b"CREATE TABLE ( osks")):
        assert sound in content
        content = content.replace(sound, damaged)
    file.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreError, match="decode"):
            SqliteStore(f"sqlite:///{file}")


def test_a_migration_that_fails_leaves_the_earlier_version(tmp_path):
    path = tmp_path / "centre.db"
    connection = sqlite3.connect(path)
    connection.execute("create table counters (in_the_way text)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="already exists"):
        SqliteStore(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    assert connection.execute("select count(*) from schema_version").fetchone() == (0,)
    assert connection.execute("select name from sqlite_master where name = 'site'").fetchone() is None
    connection.close()
