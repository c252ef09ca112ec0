"""A centre of today beside the old system, whose clock is the machine's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync.clock import now_ms, site_day
from tests.middlebox import Middlebox
from tests.sync.central.centre import ZONE, Centre, hospital
from tests.sync.central.online import PATIENTS, Online


class MachineClock:
    """The clock of the machine, as the tests' clock is called."""

    def __call__(self) -> int:
        """The time now (UTC ms)."""
        return now_ms()


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    directory = tmp_path_factory.mktemp("online")
    centre = Centre(directory, MachineClock(), filled=False)  # type: ignore[arg-type]
    centre.take(hospital(site_day(now_ms(), ZONE, "04:00"), PATIENTS))
    made = Online(directory, centre=centre)
    yield made
    made.close()


@pytest.fixture
def between(online: Online) -> Iterator[Middlebox]:
    """What stands between the two systems."""
    with Middlebox(f"http://{online.host}") as made:
        yield made
