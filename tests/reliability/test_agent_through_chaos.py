"""The kiosk's agent and a real centre over a bad wire: taps go on, and every action is there once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kiosk.demo.hospital import wait_for
from sync.agent.steps import Puller
from tests.reliability.chaos_proxy import Behaviour, ChaosProxy, Kind, Schedule, always, calm, storm
from tests.reliability.ends import STEPS, Centre, Kiosk

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("chaos")]

LONG = bool(os.environ.get("LONG"))
DEADLINE_S = 0.5  # of the kiosk's calls; with the real ten seconds these tests would take minutes
PEOPLE = 3  # people for each behaviour of the wire
STORMS = 40 if LONG else 1
GUSTS = 4
STRIKES = 2
WAIT_S = 30.0

# The answer to a push of a few actions has some kilobytes. A slow wire must be so slow that the deadline ends the call.
BEHAVIOURS = (
    Behaviour(Kind.DELAY, pause_s=0.1),
    Behaviour(Kind.DELAY, pause_s=60),
    Behaviour(Kind.STALL, after=300, pause_s=0.1),
    Behaviour(Kind.STALL, after=300, pause_s=60),
    Behaviour(Kind.RESET, after=0),
    Behaviour(Kind.RESET, after=700),
    Behaviour(Kind.CUT_REQUEST, after=500),
    Behaviour(Kind.HALF_OPEN),
    Behaviour(Kind.BLACK_HOLE, after=0),
    Behaviour(Kind.BLACK_HOLE, after=700),
    Behaviour(Kind.TRICKLE, after=100, pause_s=0.02),
    Behaviour(Kind.REPEAT, pause_s=0.05),
)
STORMY = tuple(b for b in BEHAVIOURS if b.kind is not Kind.HALF_OPEN)


@dataclass
class Wire:
    """Both ends with the proxy between them, and the people who come."""

    centre: Centre
    proxy: ChaosProxy
    kiosk: Kiosk
    saved: list[str] = field(default_factory=list)
    next_person: int = 0

    def people(self) -> None:
        """A few people come. The kiosk serves them in any state of the wire."""
        for _ in range(PEOPLE):
            self.saved += self.kiosk.check_in(self.next_person)
            self.next_person += 1

    def spoil(self, schedule: Schedule, strikes: int) -> None:
        """Sets the behaviour of the wire. Returns when people were served and the wire has struck."""
        before = self.proxy.struck.total()
        self.proxy.behave(schedule)
        self.proxy.reset()
        self.people()
        wait_for(lambda: self.proxy.struck.total() >= before + strikes, "the wire never struck", WAIT_S)

    def comes_back(self) -> None:
        """Mends the wire. The kiosk must notice the recovery by itself, and both ends must have every action once."""
        self.proxy.behave(calm)
        wait_for(lambda: not self.kiosk.parts.pending(), "the outbox never emptied", WAIT_S)
        wait_for(lambda: self.kiosk.agent.online, "it never came online again", WAIT_S)
        assert self.kiosk.statuses() == {"applied": len(self.saved)}
        assert self.centre.effects() == dict.fromkeys(self.saved, 1)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    people = PEOPLE * (len(BEHAVIOURS) + STORMS * GUSTS + 4)
    with tempfile.TemporaryDirectory(prefix="nfc-kiosk-") as made:
        centre = Centre(Path(made), people)
        proxy = ChaosProxy("127.0.0.1", centre.places.central_port)
        kiosk = Kiosk(Path(made), f"http://127.0.0.1:{proxy.port}", centre.enrol_code(), DEADLINE_S)
        kiosk.agent.start()
        wait_for(lambda: kiosk.knows(people - 1), "the roster never came", WAIT_S)
        yield Wire(centre, proxy, kiosk)
        assert centre.check()["ok"]
        kiosk.close()
        proxy.close()
        centre.program.stop()


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda b: f"{b.kind}-{b.after}-{b.pause_s:g}")
def test_the_kiosk_recovers_from_each_behaviour_with_every_action_once(wire: Wire, behaviour: Behaviour):
    gets_through = 0 < behaviour.pause_s < DEADLINE_S
    wire.spoil(always(behaviour), 1 if gets_through else STRIKES)
    wire.comes_back()


@pytest.mark.timeout(120 if not LONG else 900)
def test_the_kiosk_recovers_from_all_behaviours_in_any_order(wire: Wire):
    for number in range(STORMS):
        for gust in range(GUSTS):
            wire.spoil(storm(number * GUSTS + gust, *STORMY), 1)
        wire.comes_back()


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda b: f"{b.kind}-{b.after}-{b.pause_s:g}")
def test_a_pull_that_fails_changes_nothing_in_part(wire: Wire, behaviour: Behaviour):
    """Only the step, since the agent's long poll waits for half a minute."""
    with wire.kiosk.store.read() as db:
        before = db.execute("select cursor from identity").fetchone()[0]
    wire.proxy.behave(always(behaviour))
    client = wire.kiosk.connect()
    puller = Puller(wire.kiosk.ledger, client, wait_s=0.1)
    result = puller.run_once()
    assert result.reached or result.failed
    wire.proxy.behave(calm)
    wait_for(lambda: puller.run_once().reached, "the pull never came through", WAIT_S)
    client.close()
    assert wire.kiosk.journeys.identity is not None
    assert wire.kiosk.journeys.identity.cursor >= before


@pytest.mark.skipif(not LONG, reason="waits for the agent's long poll to run out: set LONG")
@pytest.mark.parametrize("kind", [Kind.HALF_OPEN, Kind.BLACK_HOLE])
def test_the_agents_long_poll_recovers_from_a_wire_that_never_answers(wire: Wire, kind: Kind):
    wire.spoil(always(Behaviour(kind)), STRIKES)
    wire.comes_back()
    assert wire.kiosk.journeys.identity is not None
    before = wire.kiosk.journeys.identity.cursor
    wire.people()
    wait_for(lambda: wire.kiosk.journeys.identity.cursor > before, "no more news came", 90.0)


def test_each_person_has_a_number_of_their_own(wire: Wire):
    with wire.kiosk.store.read() as db:
        numbers = [
            row[0]
            for row in db.execute("select e.value ->> '$.queue_number' from patients, json_each(view, '$.entries') e")
        ]
    assert len(numbers) == len(set(numbers)) == len(wire.saved) / len(STEPS)
