"""Fixtures for all tests of the kiosk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kiosk.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A reception on a real store."""
    made = House(tmp_path)
    yield made
    made.reception.stop()
    made.store.close()
