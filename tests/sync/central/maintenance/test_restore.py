"""A restore of a backup: by the command, by hand after a crash, and interrupted at every step."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pytest

from sync.central.commands.main import main
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.incarnation import open_incarnation, update_marker
from sync.central.maintenance.restore import restore
from sync.central.store.errors import InUse, StoreError
from sync.central.store.sqlite import SqliteStore
from tests.sync.central.wire import Centre, Time

HOUSE = Path(__file__).resolve().parents[4]


class Held(NamedTuple):
    """Rows that tell two databases apart: some of their pages are in the log, and some are not."""

    change: int
    patients: int
    transitions: int


@dataclass(frozen=True)
class Crashed:
    """A centre that crashed: its `database` with its log, an earlier `backup`, and the content of each."""

    database: Path
    backup: Path
    incarnation: str
    in_backup: Held
    at_the_end: Held

    def beside(self) -> set[str]:
        return {path.name for path in self.database.parent.iterdir()}


@pytest.fixture
def crashed(tmp_path: Path) -> Crashed:
    living, place = tmp_path / "living", tmp_path / "place"
    living.mkdir()
    centre = Centre(living / "central.db", Time())
    incarnation = open_incarnation(centre.store)
    back_up(centre.store, tmp_path / "backup.db")
    in_backup = held(centre.store)
    for patient_id in ("P1", "P2", "P3"):
        assert centre.staff("scan_nfc", patient_id).done
    centre.store.close()  # this writes the log into the file
    centre.open()
    open_incarnation(centre.store)
    document = {"patients": [{"patient_id": f"Q{number}", "name": "New"} for number in range(300)]}
    with centre.store.write() as db:
        take_hospital(db, centre.definitions, centre.parts.keys, read_hospital(document), centre.time())
    update_marker(centre.store)
    at_the_end = held(centre.store)
    shutil.copytree(living, place)
    centre.store.close()
    assert (place / "central.db-wal").stat().st_size > 0
    return Crashed(place / "central.db", tmp_path / "backup.db", incarnation, in_backup, at_the_end)


def held(store: SqliteStore) -> Held:
    with store.read() as db:
        assert db.value("pragma integrity_check(1)") == "ok"
        tables = (db.value(f"select count(*) from {table}") for table in ("patients", "transitions"))
        return Held(db.latest_change(), *tables)


def start(database: Path) -> tuple[str, Held]:
    """Starts a service. Returns its incarnation and the content of its database."""
    store = SqliteStore(f"sqlite:///{database}")
    try:
        found = held(store)
        return open_incarnation(store), found
    finally:
        store.close()


def test_a_copy_put_in_place_by_hand_is_opened_and_the_log_of_the_crash_is_set_aside(
    crashed: Crashed, caplog: pytest.LogCaptureFixture
):
    log = crashed.database.with_name("central.db-wal").read_bytes()
    shutil.copy(crashed.backup, crashed.database)
    incarnation, found = start(crashed.database)
    assert found == crashed.in_backup
    assert incarnation != crashed.incarnation
    assert crashed.database.with_name("central.db-wal.stray").read_bytes() == log
    assert "central.db-wal.stray" in caplog.text
    assert start(crashed.database) == (incarnation, found), "its present log is its own"


def test_after_a_crash_a_database_keeps_its_own_log(crashed: Crashed, caplog: pytest.LogCaptureFixture):
    assert start(crashed.database) == (crashed.incarnation, crashed.at_the_end)
    assert caplog.text == ""


def test_the_command_restores_and_prints_what_it_did_and_what_comes_next(
    crashed: Crashed, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main(["restore", "--database", f"sqlite:///{crashed.database}", str(crashed.backup)])
    assert not ended.value.code
    kept = crashed.database.with_name("central.db.replaced")
    assert capsys.readouterr().out.splitlines() == [
        f"{crashed.database} is now {crashed.backup}, up to change {crashed.in_backup.change}",
        f"the old database is kept as {kept}",
        "start the service: it detects the restore, and kiosks send the actions that the copy lacks",
    ]
    assert not {"central.db-wal", "central.db-shm", "central.db.restoring"} & crashed.beside()
    assert crashed.database.stat().st_mode & 0o777 == 0o600
    incarnation, found = start(crashed.database)
    assert incarnation != crashed.incarnation
    assert found == crashed.in_backup
    assert start(kept)[1] == crashed.at_the_end, "with its log"
    assert crashed.backup.exists()


def test_a_replaced_database_can_be_put_back_and_no_kept_file_is_overwritten(crashed: Crashed):
    first = restore(crashed.database, crashed.backup).kept
    assert first is not None
    second = restore(crashed.database, first)
    assert (second.change, second.kept) == (crashed.at_the_end.change, first.with_name("central.db.replaced-2"))
    incarnation, found = start(crashed.database)
    assert found == crashed.at_the_end
    assert incarnation != crashed.incarnation, "kiosks may have changes that it lacks"


def test_a_backup_is_restored_onto_a_machine_that_has_none(crashed: Crashed, tmp_path: Path):
    assert restore(tmp_path / "new" / "central.db", crashed.backup).kept is None
    assert start(tmp_path / "new" / "central.db")[1] == crashed.in_backup


def test_a_log_beside_the_backup_is_not_taken_for_its_own(crashed: Crashed):
    shutil.copy(crashed.database.with_name("central.db-wal"), f"{crashed.backup}-wal")
    assert restore(crashed.database, crashed.backup).change == crashed.in_backup.change


def test_a_journal_that_a_crash_left_is_kept_with_its_database(crashed: Crashed):
    crashed.database.with_name("central.db-journal").write_bytes(b"half a commit")
    kept = restore(crashed.database, crashed.backup).kept
    assert kept is not None
    assert kept.with_name(f"{kept.name}-journal").read_bytes() == b"half a commit"
    assert "central.db-journal" not in crashed.beside()


def test_while_the_service_runs_it_is_refused(crashed: Crashed):
    store = SqliteStore(f"sqlite:///{crashed.database}")
    with pytest.raises(InUse, match="stop it first"):
        restore(crashed.database, crashed.backup)
    store.close()
    assert start(crashed.database)[1] == crashed.at_the_end


def newer(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("update schema_version set version = 999")


def another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("create table t (n integer)")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xa5" * 4096
    path.write_bytes(content)


def never_opened(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("delete from incarnation")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (newer, "made by a newer version"),
        (another_program, "is no database of a centre"),
        (empty, "is no database of a centre"),
        (damaged, "was not restored"),
        (never_opened, "is no database of a centre"),
        (lambda path: path.write_bytes(b"text" * 5000), "was not restored"),
        (lambda path: path.unlink(), "there is no such file"),
    ],
    ids=["newer", "another program's", "empty", "damaged", "never opened", "no database", "missing"],
)
def test_a_file_that_is_no_whole_backup_of_a_centre_is_refused_and_nothing_changes(crashed: Crashed, spoil, said: str):
    before = {name: crashed.database.with_name(name).read_bytes() for name in crashed.beside()}
    spoil(crashed.backup)
    with pytest.raises(StoreError, match=said):
        restore(crashed.database, crashed.backup)
    assert {name: crashed.database.with_name(name).read_bytes() for name in crashed.beside()} == before


def test_the_database_itself_is_no_backup_of_it(crashed: Crashed):
    with pytest.raises(StoreError, match="is the database itself"):
        restore(crashed.database, crashed.database)
    assert start(crashed.database) == (crashed.incarnation, crashed.at_the_end)


# A process that dies before its n-th change of a name in the directory. Each change is durable before the next begins,
# so a power cut leaves the same.
DYING = """
import os, sys
from pathlib import Path
left = int(sys.argv[3])
def dies(event, arguments):
    global left
    if event in ("os.link", "os.rename", "os.remove"):
        left -= 1
        if left < 0:
            os._exit(9)
from sync.central.maintenance.restore import restore
sys.addaudithook(dies)
restore(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def dies_before(crashed: Crashed, changes: int) -> bool:
    """Whether the restore died, because it needed more changes of names."""
    command = [sys.executable, "-c", DYING, str(crashed.database), str(crashed.backup), str(changes)]
    return subprocess.run(command, cwd=HOUSE, check=False).returncode == 9


@pytest.mark.parametrize("again", [False, True], ids=["and the service starts", "and it is done again"])
def test_cut_off_at_any_step_the_old_or_the_new_database_is_there_whole(crashed: Crashed, tmp_path: Path, again: bool):
    outcomes, changes = [], 0
    while True:
        shutil.copytree(crashed.database.parent, tmp_path / f"{changes}")
        now = replace(crashed, database=tmp_path / f"{changes}" / "central.db")
        died = dies_before(now, changes)
        if again and died:
            restore(now.database, now.backup)
        incarnation, found = start(now.database)
        outcomes.append((incarnation == crashed.incarnation, found))
        if found == crashed.in_backup:
            assert start(now.database.with_name("central.db.replaced"))[1] == crashed.at_the_end
        if not died:
            break
        changes += 1
    assert changes >= 6
    restored, untouched = (False, crashed.in_backup), (True, crashed.at_the_end)
    assert set(outcomes) == ({restored} if again else {restored, untouched})
    assert outcomes == sorted(outcomes, reverse=True), "a finished restore stays finished"
