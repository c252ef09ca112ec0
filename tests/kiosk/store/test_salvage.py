"""A damaged store: every action that can be read is recovered, and a new epoch begins."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.appliance.disk import disk_faults, kept_faults
from kiosk.store.damage import kept_files
from kiosk.store.identity import read_identity
from kiosk.store.salvage import last_salvage
from kiosk.store.sqlite import Store, peek
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts

PEOPLE = 40
PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store with an action of each of its people, and a crashed one beside it whose log has all of it."""
    place = tmp_path_factory.mktemp("whole")
    parts = samples.enrolled(place, samples.Clock(), *(samples.row(number) for number in range(PEOPLE)))
    for number in range(PEOPLE):
        parts.journeys.tap(samples.KEYS.hashes(samples.uid(number)), ("scan_nfc",))
    (place / "crashed").mkdir()
    for name in ("kiosk.db", "kiosk.db-wal"):
        shutil.copy(place / name, place / "crashed" / name)
    parts.store.close()
    return place / "kiosk.db"


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "kiosk.db"))


def ruin(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * PAGE)


def root_of(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("select rootpage from sqlite_master where name = ?", (table,)).fetchone()[0])


def leaves_of_outbox(path: Path) -> Iterator[int]:
    """The pages that hold actions: the children of the root, whose pointers end its cells (fileformat2.html, 1.6)."""
    page = path.read_bytes()[(root_of(path, "outbox") - 1) * PAGE :][:PAGE]
    assert page[0] == 5, "the outbox has one interior page"
    cells = [int.from_bytes(page[12 + 2 * n :][:2], "big") for n in range(int.from_bytes(page[3:5], "big"))]
    yield from (int.from_bytes(page[cell:][:4], "big") for cell in cells)
    yield int.from_bytes(page[8:12], "big")


def actions(store: Store) -> set[str]:
    with store.read() as db:
        return {row[0] for row in db.execute("select action_id from outbox")}


def all_actions(whole: Path) -> set[str]:
    with peek(whole) as db:
        return {row[0] for row in db.execute("select action_id from outbox")}


def test_whichever_page_is_ruined_only_the_actions_on_that_very_page_are_lost(whole: Path, tmp_path: Path):
    leaves = set(leaves_of_outbox(whole))
    for page in range(1, whole.stat().st_size // PAGE + 1):
        path = tmp_path / f"{page}.db"
        shutil.copy(whole, path)
        ruin(path, page)
        store = Store(path)
        lost = all_actions(whole) - actions(store)
        assert bool(lost) == (page in leaves), f"page {page}"
        with store.read() as db:
            assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
            said = last_salvage(db)
        assert said is not None
        assert said.startswith(f"{PEOPLE - len(lost)} actions recovered, {len(lost)} lost")
        store.close()


def test_actions_are_recovered_out_of_the_log_of_a_crash(whole: Path, tmp_path: Path):
    for ending in ("", "-wal"):
        shutil.copy(whole.parent / "crashed" / f"kiosk.db{ending}", tmp_path / f"kiosk.db{ending}")
    (tmp_path / "kiosk.db").write_bytes(b"")
    store = Store(tmp_path / "kiosk.db")
    assert actions(store) == all_actions(whole)
    store.close()


@pytest.mark.parametrize("length", [0, 1, PAGE, 3 * PAGE + 17])
def test_a_file_that_was_cut_short_gives_what_is_left(path: Path, length: int):
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    store = Store(path)
    assert actions(store) <= all_actions(path) if length else actions(store) == set()
    store.close()


def test_the_recovered_actions_begin_a_new_epoch_and_the_roster_a_snapshot(path: Path):
    ruin(path, root_of(path, "patients"))
    kiosk = KioskParts(Store(path), samples.Clock())
    identity = kiosk.kiosk.identity
    assert identity is not None
    assert (identity.epoch, identity.cursor, identity.as_of_ms) == (2, 0, None)
    batch = kiosk.ledger.batch(PEOPLE, None)
    assert len(batch) == PEOPLE == kiosk.pending()
    kiosk.ledger.adopt(samples.page(*(samples.row(number) for number in range(PEOPLE))))
    assert kiosk.journeys.tap(samples.KEYS.hashes(samples.uid(1)), ("scan_nfc",)) is not None
    kiosk.store.close()


def test_without_its_identity_a_kiosk_keeps_its_actions_for_the_next_enrolment(path: Path):
    ruin(path, root_of(path, "identity"))
    kiosk = KioskParts(Store(path), samples.Clock())
    assert kiosk.kiosk.identity is None
    (fault, *_) = disk_faults(kiosk.store)
    assert "40 actions recovered, 0 lost; the kiosk's identity is lost: kiosk enroll" in fault
    kiosk.ledger.enrol(samples.enrolment())
    assert kiosk.pending() == PEOPLE
    kiosk.store.close()


def test_an_action_whose_status_is_no_word_any_more_is_sent_again(path: Path):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("update outbox set status = 'applidd' where rowid = 1")
    ruin(path, root_of(path, "patients"))
    store = Store(path)
    with store.read() as db:
        assert db.execute("select status from outbox where rowid = 1").fetchone()[0] == "pending"
    store.close()


def test_after_a_loss_numbers_are_left_out_that_a_lost_action_may_have_given(path: Path):
    ruin(path, next(leaves_of_outbox(path)))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("insert or replace into queue_numbers values ('2026-03-02', 7)")
    store = Store(path)
    with store.read() as db:
        used = db.execute("select used from queue_numbers where site_day = '2026-03-02'").fetchone()[0]
    assert used >= 107
    store.close()


def test_the_damaged_file_is_a_fault_until_it_is_removed_and_goes_with_the_kiosks_traces(path: Path):
    ruin(path, root_of(path, "patients"))
    store = Store(path)
    (fault, *_) = disk_faults(store)
    assert fault.startswith("the database was damaged: 40 actions recovered, 0 lost; remove ")
    with store.read() as db:
        assert read_identity(db) is not None
    store.erase_traces()
    assert kept_files(path) == []
    with store.read() as db:
        assert list(kept_faults(path, db)) == []
    store.close()


def test_damage_that_a_running_kiosk_meets_ends_it_and_the_next_start_recovers(path: Path):
    Store(path).close()
    before = path.stat()
    ruin(path, root_of(path, "number_uses"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # so that the next start checks it beside its work
    store = Store(path)
    assert not store.tend()
    with pytest.raises(sqlite3.DatabaseError, match="malformed"), store.read() as db:
        db.execute("select * from number_uses").fetchall()
    assert store.tend()
    store.close()
    again = Store(path)
    assert len(actions(again)) == PEOPLE
    assert kept_files(path) == [path.with_name("kiosk.db.damaged")]
    again.close()


def test_what_a_crash_left_of_a_recovery_is_removed(path: Path):
    left = [path.with_name(f"kiosk.db.{ending}") for ending in ("recovered", "read", "leaf")]
    for each in left:
        each.write_bytes(b"half of it")
    Store(path).close()
    assert not any(each.exists() for each in left)
