"""A kiosk that goes to another hospital, with real programs. Both hospitals have one name and the same patient ids."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.demo import hospital
from kiosk.demo.hospital import Person, Places, Program
from sync.agent.steps import OTHER_SITE
from tests.commands import Ended, central_command, kiosk, kiosk_command
from tests.whole.town import WAIT_S, Town

pytestmark = pytest.mark.processes


@pytest.fixture
def other(town: Town, tmp_path: Path) -> Iterator[Places]:
    """The other hospital's centre."""
    directory = tmp_path / "other"
    directory.mkdir()
    places = Places(directory, hospital.free_port(), town.places.kiosk_port)
    centre: Program = hospital.start_central(places)
    centre.await_health()
    hospital.fill(places)
    yield places
    centre.stop()


def enroll(town: Town, at: Places, code: str, *words: str) -> Ended:
    return kiosk("enroll", "--config", str(town.places.config), "--central", at.central_url, "--code", code, *words)


def standing(places: Places) -> str:
    """How many patients are in each state, and how many cases wait for staff."""
    return central_command(places, "check")


def move_on(town: Town, to: str) -> None:
    """Starts the kiosk again with the address of another centre."""
    assert town.kiosk is not None
    town.kiosk.stop()
    hospital.write_config(town.places, to, ["simulated"])
    town.start_kiosk()


def test_check_ins_of_one_hospital_never_reach_another_and_end_at_their_own(town: Town, other: Places, tmp_path: Path):
    people = town.people[:3]
    untouched = standing(other)
    town.go_offline()
    for person in people:
        town.check_in(person)
    done = {row["action_id"] for row in town.outbox()}
    code = central_command(other, "enroll-code").strip()

    refused = enroll(town, other, code)
    assert refused.returncode == 1
    assert f"keeps {len(done)} actions of 가상 병원" in refused.stderr
    assert "The code is still good" in refused.stderr
    assert {row["action_id"] for row in town.outbox()} == done

    file = tmp_path / "hall.aside"
    moved = enroll(town, other, code, "--set-aside", str(file))
    assert moved.returncode == 0, moved.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert town.outbox() == []
    assert town.screen()["screen"] == "attract"

    # It still has the address of the old centre, which tells it nothing and takes nothing.
    town.wire.mend()
    hospital.wait_for(lambda: town.status()["sync_error"] == OTHER_SITE, "it never noticed", WAIT_S)
    assert not town.status()["ended"]
    move_on(town, other.central_url)
    town.await_online()
    # The other hospital's staff hear of the enrolment that was refused, and of nothing else.
    assert standing(other) == untouched.replace(" 0 cases", " 1 cases")
    assert json.loads(central_command(other, "exceptions list", "--json"))[0]["code"] == "enrolment_refused"
    town.tap(town.people[3])
    town.await_settled()
    assert [row["status"] for row in town.outbox()] == ["applied"]

    with pytest.raises(hospital.DemoError, match="the file holds actions of 가상 병원"):
        central_command(other, "take-in", str(file))
    for _ in range(2):
        taken = central_command(town.places, "take-in", str(file)).splitlines()
        assert {line.split()[1] for line in taken[:-1]} == done
        assert {tuple(line.split()[2:4]) for line in taken[:-1]} == {("applied", "ok")}
    for person in people:
        assert town.state(person)["journey_state"] == "WAITING"
        assert len(history(town, person)) == 3
    assert town.check()["ok"]


def history(town: Town, person: Person) -> list[str]:
    """The actions that moved a patient's journey."""
    return [row["action_id"] for row in town.history(person) if row["action_id"]]


def test_a_wrong_address_in_the_configuration_costs_nothing_and_a_file_can_go_ahead(
    town: Town, other: Places, tmp_path: Path
):
    untouched = standing(other)
    move_on(town, other.central_url)
    town.check_in(town.people[0])
    hospital.wait_for(lambda: town.status()["sync_error"] == OTHER_SITE, "it never noticed", WAIT_S)
    status = town.status()
    assert (status["online"], status["ended"], status["outbox"]["pending"]) == (False, False, 3)
    assert status["roster"]["patients"] >= len(town.people)
    assert standing(other) == untouched
    file = tmp_path / "hall.aside"
    kiosk_command(town.places, "outbox", "--set-aside", str(file))
    central_command(town.places, "take-in", str(file))
    assert town.state(town.people[0])["journey_state"] == "WAITING"
    assert town.status()["outbox"]["pending"] == 3, "they stay until they have their verdicts"
    move_on(town, town.through)
    town.await_settled()
    assert len(history(town, town.people[0])) == 3
    assert [row["status"] for row in town.outbox()] == ["applied"] * 3
