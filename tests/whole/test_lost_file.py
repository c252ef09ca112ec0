"""Real programs whose database is deleted, damaged or mistyped under them: nothing that was accepted is lost."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from kiosk.demo import hospital
from kiosk.demo.hospital import Person, Places, wait_for
from sync.control import ControlError, NotRunning, Unanswered
from tests.commands import central_command
from tests.whole.town import WAIT_S, Town

pytestmark = pytest.mark.processes
PAGE = 4096


def try_tap(town: Town, person: Person) -> None:
    """A tap that the kiosk may refuse."""
    with contextlib.suppress(ControlError, NotRunning, Unanswered, OSError):
        town.ask("tap", uid=person.uid)


def await_end(town: Town) -> int:
    """Waits until the kiosk has ended by itself, as systemd does. Returns its exit code."""
    assert town.kiosk is not None
    process = town.kiosk.process
    wait_for(lambda: process.poll() is not None, "the kiosk went on without its file", WAIT_S)
    return int(process.returncode)


def test_what_a_kiosk_accepted_before_its_database_was_deleted_reaches_the_centre(town: Town):
    town.go_offline()
    first, second, *_ = town.people
    town.tap(first)
    (town.places.directory / "kiosk.db").unlink()
    try_tap(town, second)
    assert await_end(town) == 1
    town.start_kiosk()
    kept = {row["patient_id"] for row in town.outbox()}
    assert first.patient_id in kept
    town.wire.mend()
    town.await_online()
    town.await_settled()
    assert town.state(first)["journey_state"] == "ARRIVED"
    town.tap(second)
    assert town.screen()["journey"]["journey_state"] == "ARRIVED"


def damage(path: Path, table: str) -> None:
    """Overwrites the first page of a table of a stopped kiosk."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("select rootpage from sqlite_master where name = ?", (table,)).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * PAGE)


def test_a_damaged_kiosk_recovers_its_actions_and_pulls_its_roster_again(town: Town):
    town.go_offline()
    person, other, *_ = town.people
    town.tap(person)
    assert town.kiosk is not None
    town.kiosk.stop()
    damage(town.places.directory / "kiosk.db", "patients")
    town.start_kiosk()
    assert [row["patient_id"] for row in town.outbox() if row["status"] == "pending"] == [person.patient_id]
    (fault,) = [each for each in town.status()["faults"] if "damaged" in each]
    assert "1 actions recovered, 0 lost" in fault
    town.wire.mend()
    town.await_online()
    town.await_settled()
    assert town.state(person)["journey_state"] == "ARRIVED"
    assert [case["code"] for case in town.cases()] == ["fork"]
    town.tap(other)
    assert town.screen()["journey"]["journey_state"] == "ARRIVED"


def test_a_centre_whose_database_was_deleted_writes_it_again_and_goes_on(town: Town):
    person, other, *_ = town.people
    town.tap(person)
    town.await_settled()
    (town.places.directory / "central.db").unlink()
    town.tap(other)
    town.await_settled()
    assert (town.places.directory / "central.db").exists()
    wait_for(lambda: town.perform(other, "register").ok, "the centre takes nothing more", WAIT_S)
    assert town.state(person)["journey_state"] == "ARRIVED"


def test_a_centre_on_a_mistyped_database_empties_no_kiosk(town: Town, tmp_path: Path):
    person, *_ = town.people
    patients = town.status()["roster"]["patients"]
    town.stop_central()
    with pytest.raises(hospital.DemoError, match="there is no such database"):
        central_command(Places(tmp_path / "typo", 1, 2), "enroll-code")
    right, town.places = town.places, Places(tmp_path / "typo", town.places.central_port, town.places.kiosk_port)
    town.places.directory.mkdir()
    town.start_central()  # with --create, as a careless operator would
    town.places = right
    wait_for(lambda: "no_site" in (town.status()["sync_error"] or ""), "the kiosk never heard of it", WAIT_S)
    town.tap(person)
    status = town.status()
    assert (status["roster"]["patients"], status["ended"], status["outbox"]["pending"]) == (patients, False, 1)
    town.stop_central()
    town.start_central()
    town.await_settled()
    assert town.state(person)["journey_state"] == "ARRIVED"
