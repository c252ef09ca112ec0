"""A kiosk's token is renewed while people check in, and a restored centre is called with the former one."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import wait_for
from tests.commands import central_command
from tests.whole.town import Town

pytestmark = pytest.mark.processes

WAIT_S = 60.0


def kept(town: Town) -> list[str]:
    return (town.places.directory / "kiosk.db.token").read_text("utf-8").split()


def listed(town: Town) -> dict[str, Any]:
    (found,) = json.loads(central_command(town.places, "kiosks list", "--json"))
    return dict(found["token"])


def renew(town: Town) -> str:
    """Has the kiosk's token renewed, and returns the new one once it is in use."""
    before = kept(town)[0]
    central_command(town.places, "kiosks renew", "--all")
    wait_for(lambda: kept(town)[0] != before, "no new token came", WAIT_S)
    wait_for(lambda: listed(town)["asked_ms"] is None, "the new token was never used", WAIT_S)
    return kept(town)[0]


def pull_with(town: Town, token: str) -> tuple[int, str]:
    """The status and the code of a pull, such as that of a copy of the kiosk's disk."""
    status = town.status()
    body = {"protocol_version": 2, "site_id": status["site"]["site_id"], "kiosk_id": status["kiosk"]["id"]}
    url, headers = f"{town.places.central_url}/api/v1/sync/pull", {"Authorization": f"Bearer {token}"}
    answer = requests.post(url, json=body | {"epoch": 1, "cursor": 0}, headers=headers, timeout=WAIT_S)
    return answer.status_code, answer.json().get("code", "")


def after_the_overlap(town: Town) -> None:
    """Puts the replacement six minutes into the past."""
    town.stop_central()
    with closing(sqlite3.connect(town.places.directory / "central.db")) as db, db:
        db.execute("update tokens set replaced_ms = replaced_ms - 360000 where replaced_ms is not null")
    town.start_central()
    town.await_online()


def test_tokens_are_renewed_while_people_check_in_and_the_former_one_is_refused_afterwards(town: Town):
    first = kept(town)[0]
    faults: list[str] = []
    shown: set[str] = set()
    for number, person in enumerate(town.people):
        shown.add(town.check_in(person)["screen"])
        if number == 1:
            renew(town)
        status = town.status()
        faults += [*status["faults"], *filter(None, [status["sync_error"]])]
        assert status["online"]
    town.await_settled()
    assert (faults, shown) == ([], {"journey"})
    assert {row["status"] for row in town.outbox()} == {"applied"}
    assert [town.state(person)["journey_state"] for person in town.people] == ["WAITING"] * len(town.people)
    assert kept(town)[1:] == [first]
    assert pull_with(town, first)[0] == 200, "calls under way end well"
    assert town.cases() == []
    after_the_overlap(town)
    assert pull_with(town, first) == (401, "replaced")
    assert [case["code"] for case in town.cases()] == ["replaced_token"]
    command = [*hospital.command_of("kiosk-central"), "check", "--database", town.places.database]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (checked.returncode, "a replaced token was used" in checked.stdout) == (1, True)
    assert town.status()["online"], "the kiosk itself goes on"


def test_a_kiosk_goes_on_by_itself_after_the_restore_of_a_backup_from_before_its_token(town: Town, tmp_path: Path):
    first, backup = kept(town)[0], tmp_path / "backup.db"
    central_command(town.places, "backup", str(backup))
    second = renew(town)
    third = renew(town)
    assert kept(town) == [third, second, first]
    town.check_in(town.people[0])
    town.await_settled()
    town.stop_central()
    town.put_back(backup)
    town.start_central()
    town.check_in(town.people[1])
    town.await_settled()
    wait_for(lambda: town.status()["online"], "the kiosk never came back", WAIT_S)
    assert [town.state(person)["journey_state"] for person in town.people[:2]] == ["WAITING"] * 2
    status = town.status()
    assert (status["not_known"], status["ended"], status["sync_error"]) == (False, False, None)
    newest = renew(town)
    assert kept(town) == [newest, third, second, first]
    assert town.cases() == []


def test_a_killed_kiosk_and_a_killed_centre_have_a_token_that_both_know(town: Town):
    for who in ("kiosk", "centre"):
        before = kept(town)[0]
        central_command(town.places, "kiosks renew", "--all")
        assert town.kiosk is not None
        if who == "kiosk":
            town.kiosk.kill()
            town.start_kiosk()
        else:
            town.central.kill()
            town.start_central()
        wait_for(lambda: kept(town)[0] != before and town.status()["online"], "no new token came", WAIT_S)  # noqa: B023
        wait_for(lambda: listed(town)["asked_ms"] is None, "the new token was never used", WAIT_S)
    assert town.cases() == []
