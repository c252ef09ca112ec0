"""The storm: stories that have failed before and a few others on a real kiosk; with LONG=1 all, and 500 others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.storm.found import FOUND
from tests.storm.play import play
from tests.storm.stage import Stage, stage
from tests.storm.story import Cut, Step, story

pytestmark = [pytest.mark.browser, pytest.mark.processes]

LONG = bool(os.environ.get("LONG"))
STORIES = 500 if LONG else 3
# Without the network a kiosk shows itself offline after eight seconds, and tests of both ends try the same.
PLAYED = [name for name, steps in FOUND.items() if LONG or not any(isinstance(step, Cut) for step in steps)]
HOSPITALS = 2  # on two cores


def _shared(cases: Iterable[object]) -> list[Any]:
    """The cases, each in the group of one of the hospitals."""
    return [
        pytest.param(case, marks=pytest.mark.xdist_group(f"storm{place % HOSPITALS}"))
        for place, case in enumerate(cases)
    ]


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Stage]:
    """One hospital and one page for the stories of a process. Each story has people of its own."""
    with stage(tmp_path_factory.mktemp("storm") / "town", browser, STORIES + len(FOUND)) as made:
        yield made


@pytest.mark.parametrize("name", _shared(PLAYED))
def test_a_fault_that_the_storm_has_found_is_gone(standing: Stage, name: str):
    _demand_no_fault(standing, 0, FOUND[name])


@pytest.mark.parametrize("seed", _shared(range(STORIES)))
def test_a_press_counts_for_whom_it_was_meant_and_no_sentence_is_untrue(standing: Stage, seed: int):
    _demand_no_fault(standing, seed, story(seed))


def _demand_no_fault(stage: Stage, seed: int, steps: Sequence[Step]) -> None:
    played = play(stage, seed, steps)
    assert not played.faults, "\n".join(
        [*played.faults, "", *played.log, f"make it again: python -m tests.storm --seed {seed}"]
    )
