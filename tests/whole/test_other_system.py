"""A real kiosk beside a real centre, while another system of the hospital decides some actions."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from typing import Any

import pytest

from kiosk.demo.hospital import Person, command_of, wait_for
from sync.clock import now_ms
from sync.ids import new_id
from tests.whole.town import WAIT_S, Town

pytestmark = pytest.mark.processes


def central(town: Town, *words: str) -> str:
    """A command of the centre's machine, while the centre runs."""
    line = [*command_of("kiosk-central"), words[0], "--database", town.places.database, *words[1:]]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def tell(town: Town, token: str, person: Person, action: str, moves: str, **more: Any) -> str:
    """The other system tells what it did. Returns what became of the word."""
    before, after = moves.split(">")
    word = {"word_id": new_id(), "patient_id": person.patient_id, "action_type": action, "from": before, "to": after}
    url, bearer = f"{town.places.central_url}/api/v1/shadow/", {"Authorization": f"Bearer {token}"}
    answer = town.staff.post(url, json={**word, "at": now_ms(), **more}, headers=bearer, timeout=WAIT_S)
    assert answer.ok, answer.text
    return str(answer.json()["outcome"])


def flags(town: Town) -> list[str]:
    """The actions that the other system decides, as the kiosk has heard."""
    with closing(sqlite3.connect(town.places.directory / "kiosk.db")) as db:
        (site,) = db.execute("select site from identity").fetchone()
    return list(json.loads(site)["decided_elsewhere"])


def is_awaited(town: Town) -> bool:
    screen = town.screen()
    return screen["said"]["title"]["text"] == "Your request has been taken" and screen["next_action"] is None


def test_a_press_waits_for_the_other_system_and_the_screen_follows_its_word(standing_town: Town):
    town, person = standing_town, standing_town.people[0]
    old = town.token("integration", "--name", "old system")
    central(town, "site", "--decides", "register=shadow", "--decides", "confirm_arrival=legacy")
    town.await_online()
    wait_for(lambda: flags(town) == ["confirm_arrival", "register"], "the kiosk does not hear of it", WAIT_S)
    town.tap(person)
    town.await_settled()
    assert town.page.press(town.screen()).ok
    wait_for(lambda: is_awaited(town), "the screen does not say that it waits", WAIT_S)
    assert tell(town, old, person, "register", "ARRIVED>REGISTERED") == "followed"
    wait_for(lambda: town.screen()["next_action"] == "confirm_arrival", "the word does not come to the screen", WAIT_S)
    assert town.page.press(town.screen()).ok
    wait_for(lambda: is_awaited(town), "the screen does not say that it waits", WAIT_S)
    assert town.screen()["ticket"] is None
    exam_id = town.state(person)["appointments"][0]["exam_id"]
    entry = {"exam_id": exam_id, "state": "waiting", "queue_number": "OLD-7"}
    assert tell(town, old, person, "confirm_arrival", "REGISTERED>WAITING", entries=[entry]) == "followed"
    wait_for(lambda: (town.screen()["ticket"] or {}).get("queue_number") == "OLD-7", "no number", WAIT_S)
    assert town.cases() == []
    (action,) = json.loads(central(town, "shadow", "--json"))["actions"][:1]
    assert (action["action_type"], action["words"], action["differing"]) == ("register", 1, 0)
