"""kill -9 at any moment: no acknowledged action missing, none twice. Real processes, a real disk."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
import requests

from kiosk.demo.hospital import Person, wait_for
from sync.control import ControlError, NotRunning
from sync.ids import new_id
from tests.whole.town import WAIT_S, Town

LONG = bool(os.environ.get("LONG"))
KILLS = 200 if LONG else 8

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900 if LONG else 120)]


@dataclass
class Crowd:
    """People who tap and touch until they are through. Without an answer they try again with the same action id."""

    town: Town
    people: list[Person]
    acknowledged: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    rounds: int = 0

    def run(self) -> None:
        while not self.stop.is_set():
            for person in self.people:
                self._through(person)
            self.rounds += 1

    def _through(self, person: Person) -> None:
        ids = {action: new_id() for action in ("register", "confirm_arrival")}
        while not self.stop.is_set():
            try:
                self.town.tap(person)
                screen = self.town.screen()
                while action := screen["next_action"]:
                    pressed = self.town.press(person, action, ids[action])
                    if not pressed.ok:
                        break
                    self.acknowledged.append(ids[action])
                    screen = self.town.screen()
                else:
                    return
            except (NotRunning, ControlError, OSError, ValueError, KeyError, requests.RequestException):
                time.sleep(0.02)


def test_a_kiosk_that_is_killed_at_any_moment_loses_nothing_and_doubles_nothing(town: Town):
    chance = random.Random(20260302)
    crowd = Crowd(town, town.people)
    walking = threading.Thread(target=crowd.run, daemon=True)
    walking.start()
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.0, 0.25))
        assert town.kiosk is not None
        town.kiosk.kill()
        town.start_kiosk()
    wait_for(lambda: crowd.rounds > 0, "the crowd never came through", 2 * WAIT_S)
    crowd.stop.set()
    walking.join(WAIT_S)
    town.await_settled()
    rows = town.outbox()
    at_the_kiosk = Counter(row["action_id"] for row in rows)
    assert set(crowd.acknowledged) <= at_the_kiosk.keys()
    per_person = Counter((row["patient_id"], row["action_type"]) for row in rows)
    assert set(per_person.values()) == {1}
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    for person in town.people:
        at_centre = [row["action_id"] for row in town.history(person)]
        assert at_centre == [row["action_id"] for row in rows if row["patient_id"] == person.patient_id]
    assert town.check()["ok"]


def test_a_centre_that_is_killed_while_kiosks_push_has_everything_once(town: Town):
    chance = random.Random(20260303)
    for person in town.people:
        town.check_in(person)
        town.central.kill()
        time.sleep(chance.uniform(0.0, 0.05))
        town.start_central()
    town.await_settled()
    rows = town.outbox()
    for person in town.people:
        at_centre = [row["action_id"] for row in town.history(person)]
        assert at_centre == [row["action_id"] for row in rows if row["patient_id"] == person.patient_id]
    assert {row["status"] for row in rows} == {"applied"}
    assert town.check()["ok"]
