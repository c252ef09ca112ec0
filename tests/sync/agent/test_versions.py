"""The choice of a version: the highest that both ends speak, without endless calls to a contradictory centre."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.agent import cycle
from sync.agent.client import CentralClient
from sync.agent.cycle import Agent
from sync.agent.versions import Negotiation
from sync.protocol import SUPPORTED_VERSIONS, EndCode
from tests.kiosk import samples
from tests.kiosk.samples import Clock, cards

from .peers import Centre, refusal

VERSIONS = st.frozensets(st.integers(1, 6))
SUPPORTED = st.frozensets(st.integers(1, 6), min_size=1)


def test_an_end_begins_with_the_highest_version_that_it_speaks():
    assert Negotiation().version == max(SUPPORTED_VERSIONS)
    assert Negotiation(frozenset({2, 5, 3})).version == 5


def test_an_end_that_speaks_nothing_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        Negotiation(frozenset())


@given(SUPPORTED, VERSIONS, VERSIONS)
def test_after_an_answer_the_version_is_the_highest_common_one(
    supported: frozenset[int], earlier: frozenset[int], versions: frozenset[int]
):
    negotiation = Negotiation(supported)
    negotiation.refused(earlier)
    negotiation.learn(versions)
    assert negotiation.version == max(supported & versions or supported)


@given(SUPPORTED, st.lists(VERSIONS, min_size=7, max_size=7))
def test_a_centre_that_contradicts_itself_is_not_called_without_end(
    supported: frozenset[int], refusals: list[frozenset[int]]
):
    negotiation = Negotiation(supported)
    again = [negotiation.refused(versions) for versions in refusals]
    assert not all(again)
    assert negotiation.version in supported


def test_a_higher_version_is_tried_after_a_wait():
    negotiation = Negotiation(frozenset({2, 3}))
    assert negotiation.refused([2])
    assert not negotiation.refused([3])
    assert negotiation.version == 3


def test_an_agent_without_a_common_version_says_so_and_keeps_its_pending_actions(tmp_path: Path):
    kiosk = samples.enrolled(tmp_path, Clock())
    assert kiosk.journeys.tap(cards(1), ("scan_nfc",)) is not None
    with Centre() as centre:
        centre.versions = (3,)
        agent = Agent(
            kiosk.ledger, lambda: CentralClient(centre.url, "token"), lambda _: None, versions=frozenset({1, 2})
        )
        for name in (cycle.PUSH, cycle.PULL):
            result = agent.step(name)
            assert (result.failed, result.reached, result.again) == (True, True, False)
        assert not agent.online, "the roster does not come"
        assert agent.reason == "unsupported_version: the centre speaks protocol versions 3, this kiosk 1, 2"
        assert kiosk.pending() == 1
        centre.versions = (1, 2, 3)
        agent.step(cycle.PUSH)
        assert (kiosk.pending(), agent.step(cycle.PUSH).failed) == (0, False)
        assert [push.protocol_version for push in centre.pushes] == [2, 2]
        agent.stop()
    kiosk.store.close()


def test_a_refused_version_waits_as_the_centre_asks(tmp_path: Path):
    kiosk = samples.enrolled(tmp_path, Clock())
    with Centre() as centre:
        centre.on_pull = lambda _: refusal(EndCode.UNSUPPORTED_VERSION, 400, versions=(3,), retry_after_s=12.0)
        agent = Agent(kiosk.ledger, lambda: CentralClient(centre.url, "token"), lambda _: None)
        assert agent.step(cycle.PULL).retry_after_s == 12.0
        agent.stop()
    kiosk.store.close()
