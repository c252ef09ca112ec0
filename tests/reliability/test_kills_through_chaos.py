"""kill -9 on both ends at any moment, over a bad wire: every acknowledged action is there, once."""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import wait_for
from kiosk.demo.open_page import OpenPage
from sync.control import ControlError, NotRunning, ask, socket_path
from sync.ids import new_id
from tests.commands import enrol
from tests.reliability.chaos_proxy import Behaviour, ChaosProxy, Kind, calm, storm
from tests.reliability.ends import STEPS, Centre, uid

LONG = bool(os.environ.get("LONG"))
KILLS = 1000 if LONG else 30  # of both ends together
PEOPLE = 6000 if LONG else 300
SEED = 20260302
WAIT_S = 90.0

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("kills"), pytest.mark.timeout(3600 if LONG else 180)]

WEATHER = (
    *(Behaviour(Kind.RESET, after=900),) * 4,
    *(Behaviour(Kind.CUT_REQUEST, after=900),) * 2,
    *(Behaviour(Kind.REPEAT, pause_s=0.05),) * 4,
    *(Behaviour(Kind.STALL, after=900, pause_s=0.2),) * 2,
    *(Behaviour(Kind.DELAY, pause_s=0.05),) * 2,
    Behaviour(Kind.TRICKLE, after=900, pause_s=0.001),
    Behaviour(Kind.BLACK_HOLE, after=900),
    Behaviour(Kind.HALF_OPEN),
)


class House:
    """The real daemon, the real centre, and the proxy between them."""

    def __init__(self, directory: Path) -> None:
        self.centre = Centre(directory, PEOPLE)
        self.places = self.centre.places
        self.proxy = ChaosProxy("127.0.0.1", self.places.central_port)
        (directory / "cards.json").write_text("[]", "utf-8")
        hospital.write_config(self.places, f"http://127.0.0.1:{self.proxy.port}", ["simulated"])
        enrol(self.places, f"http://127.0.0.1:{self.proxy.port}")
        self.kiosk = hospital.start_kiosk(self.places)

    def kill_kiosk(self, when: Callable[[], object]) -> None:
        """Kills the kiosk once it serves and `when` has returned. It starts again during the next kill."""
        self.kiosk.await_health()
        when()
        self.kiosk.kill()
        self.kiosk = hospital.start_kiosk(self.places)

    def kill_centre(self, when: Callable[[], object]) -> None:
        """Kills the centre once it serves and `when` has returned."""
        self.centre.program.await_health()
        when()
        self.centre.program.kill()
        self.centre.launch()

    def ask(self, op: str) -> Any:
        return ask(socket_path(self.places.directory / "kiosk.db"), op)

    def close(self) -> None:
        self.kiosk.stop()
        self.proxy.close()
        self.centre.program.stop()


@dataclass
class Crowd:
    """People who come one after the other. A person without an answer tries again, with the same action id."""

    house: House
    page: OpenPage
    acknowledged: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    served: int = 0

    def run(self) -> None:
        while not self.stop.is_set() and self.served < PEOPLE:
            self._serve(self.served)
            self.served += 1

    def _serve(self, number: int) -> None:
        ids = {action: new_id() for action in STEPS}
        while not self.stop.is_set():
            try:
                if self._checks_in(number, ids):
                    return
            except (NotRunning, ControlError, OSError, ValueError, KeyError, requests.RequestException):
                self.stop.wait(0.02)

    def _checks_in(self, number: int, ids: dict[str, str]) -> bool:
        """Taps, and does every action that the screen offers. Returns whether the person waits for their exam."""
        hospital.hold_card(self.house.places, uid(number))
        screen = self.page.screen()
        while screen["screen"] == "journey" and (action := screen["next_action"]):
            if not self.page.press(screen, ids[action]).ok:
                return False
            self.acknowledged.append(ids[action])
            screen = self.page.screen()
        return bool(screen["screen"] == "journey" and screen["journey"]["journey_state"] == "WAITING")


@pytest.fixture
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="nfc-kiosk-") as made:
        standing = House(Path(made))
        try:
            standing.kiosk.await_health()
            wait_for(lambda: standing.ask("status")["roster"]["patients"] == PEOPLE, "the roster never came", WAIT_S)
            yield standing
        finally:
            standing.close()


def test_both_ends_killed_at_any_moment_over_a_bad_wire_have_every_action_once(house: House):
    house.proxy.behave(storm(SEED, *WEATHER))
    house.proxy.reset()
    crowd, chance = Crowd(house, OpenPage(house.places)), random.Random(SEED)
    walking = threading.Thread(target=crowd.run, daemon=True)
    walking.start()
    for _ in range(KILLS):
        kill = chance.choice((house.kill_kiosk, house.kill_centre))
        kill(lambda: time.sleep(chance.uniform(0.0, 0.3)))
    crowd.stop.set()
    walking.join(WAIT_S)
    house.kiosk.await_health()
    house.centre.program.await_health()
    house.proxy.behave(calm)
    house.proxy.reset()  # another test has the slow recovery from a black hole
    wait_for(lambda: not house.ask("status")["outbox"]["pending"], "the outbox never emptied", WAIT_S)

    rows = house.ask("outbox")
    at_kiosk = Counter(row["action_id"] for row in rows)
    assert set(crowd.acknowledged) <= at_kiosk.keys()
    assert set(Counter((row["patient_id"], row["action_type"]) for row in rows).values()) == {1}
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["status"] for row in rows} == {"applied"}
    assert house.centre.effects() == at_kiosk
    assert house.centre.check()["ok"]
    assert crowd.served  # the number depends on the machine
    assert len(house.proxy.struck) >= 4
