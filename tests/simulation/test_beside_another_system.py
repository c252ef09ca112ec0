"""Schedules in which another system of the hospital decides some actions, and operators change which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.simulation import hospital
from tests.simulation.schedule import beside_another_system_of, play
from tests.unmeasured import unmeasured

SCHEDULES = 1000 if os.environ.get("LONG") else 40


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("beside")
    hospital.make(path)
    return path


@pytest.mark.timeout(1200)
def test_nothing_is_lost_doubled_or_stuck_beside_another_system(made: Path):
    for seed in range(SCHEDULES):
        with unmeasured():
            played = play(seed, made, beside_another_system_of(seed))
        assert not played.problems, "\n".join([f"{seed}", *played.log[-30:], *(each.text for each in played.problems)])
