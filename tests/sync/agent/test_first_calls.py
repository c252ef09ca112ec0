"""The first pull of a day is spread, and no other."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.store.identity import Identity
from sync.agent.client import CentralClient
from sync.agent.cycle import PULL, Agent
from sync.agent.first_calls import SPREAD_S, FirstCalls
from sync.agent.steps import StepResult
from sync.clock import DAY_MS
from tests.kiosk import samples
from tests.kiosk.samples import Clock

from .peers import Centre


class LongestWait(random.Random):
    """The longest wait of those that may be."""

    def uniform(self, low: float, high: float) -> float:
        return high


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    found = samples.enrolled(tmp_path, Clock()).ledger.identity
    assert found is not None
    return found


NOW_MS = 1_772_409_600_000


def test_a_kiosk_that_starts_asks_at_once_and_waits_with_the_first_pull_of_each_day_alone(identity: Identity):
    calls = FirstCalls(LongestWait())
    hours = [calls.wait_s(identity, NOW_MS + hour * DAY_MS // 24) for hour in range(72)]
    assert hours[0] == 0.0
    assert [each for each in hours if each] == [SPREAD_S] * 3


def test_kiosks_that_meet_a_day_together_ask_at_different_times(identity: Identity):
    waits = set()
    for seed in range(20):
        calls = FirstCalls(random.Random(seed))
        calls.wait_s(identity, NOW_MS)
        waits.add(calls.wait_s(identity, NOW_MS + DAY_MS))
    assert len(waits) == 20
    assert all(0 <= each <= SPREAD_S for each in waits)


def test_a_kiosk_that_was_just_enrolled_asks_at_once_on_any_day(identity: Identity):
    calls = FirstCalls(LongestWait())
    calls.wait_s(identity, NOW_MS)
    assert calls.wait_s(None, NOW_MS + DAY_MS) == 0.0
    assert calls.wait_s(replace(identity, kiosk_id="another"), NOW_MS + DAY_MS) == 0.0


def test_the_agent_calls_the_centre_after_that_wait(tmp_path: Path):
    clock = Clock()
    parts = samples.enrolled(tmp_path, clock)
    with Centre() as centre:
        centre.on_pull = lambda request: samples.page(from_cursor=request.cursor, cursor=request.cursor)
        agent = Agent(parts.ledger, lambda: CentralClient(centre.url, "token"), lambda _: None, LongestWait())
        assert agent.step(PULL).reached
        clock.forward(DAY_MS)
        assert agent.step(PULL) == StepResult(retry_after_s=SPREAD_S)
        assert agent.step(PULL).reached
        agent.stop()
