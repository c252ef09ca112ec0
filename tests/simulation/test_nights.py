"""Nights of a hospital whose desk is open around the clock: no queue number is in two hands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.simulation import hospital
from tests.simulation.schedule import nights_of, play
from tests.unmeasured import unmeasured

SCHEDULES = 1000 if os.environ.get("LONG") else 50


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nights")
    hospital.make(path, hospital.OPEN_AT_NIGHT)
    return path


@pytest.mark.timeout(1200)
def test_numbers_of_those_who_wait_overnight_are_not_given_again(made: Path):
    for seed in range(SCHEDULES):
        with unmeasured():
            played = play(seed, made, nights_of(seed))
        assert not played.problems, "\n".join([*played.log[-30:], *(each.text for each in played.problems)])
