"""The schema of the kiosk's file: a new file, an upgrade, and the refusal of a newer file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kiosk.store.migrate import migrate
from kiosk.store.sqlite import Store, StoreError
from sync.cards import CardHash
from sync.journey.model import PatientId
from sync.protocol import chain_hash
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import Clock

FIRST_SCHEMA = Path(__file__).parents[2] / "fixtures/kiosk-schema-1.sql"


def load_fixture(path: Path) -> None:
    """Makes a database of the first schema: an enrolled kiosk with patients, two judged and two pending actions."""
    connection = sqlite3.connect(path)
    connection.executescript(FIRST_SCHEMA.read_text("utf-8"))
    connection.close()


def schema_of(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("select type, name, tbl_name, sql from sqlite_master order by type, name").fetchall()
    connection.close()
    return rows


def migrations_of(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    rows = connection.execute("select name from _sqlite_migrations where migration_set = 'nfc-kiosk' order by id")
    names = [row[0] for row in rows]
    connection.close()
    return names


def test_the_schema_of_the_fixture_is_the_one_that_the_code_makes(tmp_path: Path):
    Store(tmp_path / "new.db").close()
    load_fixture(tmp_path / "fixture.db")
    assert schema_of(tmp_path / "fixture.db") == schema_of(tmp_path / "new.db")
    assert migrations_of(tmp_path / "fixture.db") == migrations_of(tmp_path / "new.db") == ["m001_first_schema"]


def test_a_file_that_is_up_to_date_is_opened_without_a_write(tmp_path: Path):
    path = tmp_path / "kiosk.db"
    Store(path).close()
    before = path.read_bytes()
    reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    migrate(reader)
    reader.close()
    assert path.read_bytes() == before


def test_the_kiosk_of_a_file_of_the_first_schema_goes_on(tmp_path: Path):
    path = tmp_path / "kiosk.db"
    load_fixture(path)
    parts = KioskParts(Store(path), Clock())
    identity = parts.kiosk.identity
    assert identity is not None
    assert (identity.kiosk_id, identity.ticket_prefix, identity.epoch, identity.cursor) == ("kiosk-1", "B", 1, 9)
    assert identity.site.timezone == "Asia/Seoul"
    assert parts.kiosk.definitions.version == 1
    status = parts.journeys.patient_status("P2")
    assert status is not None
    assert (status.journey.state, status.pending, status.journey.leg) == ("WAITING", 1, 1)
    assert status.journey.entries[0].queue_number == "B-002", "another patient has B-001"
    assert parts.pending() == 2
    previous = ""
    for pushed in parts.ledger.batch(10, 1):
        previous = chain_hash(previous, bytes(pushed.body))
        assert pushed.hash == previous
    checked_in = parts.journeys.check_in_unknown(PatientId("card-new"), [CardHash("k1", "99" * 32)], "scan_nfc", None)
    assert checked_in.refusal is None
    assert parts.pending() == 3
    parts.store.close()


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "kiosk.db"
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute(
        "insert into _sqlite_migrations (migration_set, name, applied_at) values ('nfc-kiosk', 'm999_of_later', 'then')"
    )
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer version of this program \(schema m999_of_later\)"):
        Store(path)
    assert path.read_bytes() == before
    assert migrations_of(path) == ["m001_first_schema", "m999_of_later"]


def test_a_migration_that_fails_leaves_nothing_behind_and_is_applied_by_the_next_start(tmp_path: Path):
    path = tmp_path / "kiosk.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("create table outbox (blocks_the_name integer)")
    connection.close()
    with pytest.raises(StoreError, match="already exists"):
        Store(path)
    connection = sqlite3.connect(path, isolation_level=None)
    assert not connection.execute("select 1 from sqlite_master where name = 'identity'").fetchall()
    connection.execute("drop table outbox")
    connection.close()
    Store(path).close()
    assert migrations_of(path) == ["m001_first_schema"]
