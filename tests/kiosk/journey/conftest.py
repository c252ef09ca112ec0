"""Fixtures for the tests of the journey service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kiosk.journey.small_kiosk import SmallKiosk


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[SmallKiosk]:
    """A kiosk with three patients."""
    made = SmallKiosk(tmp_path)
    yield made
    made.parts.store.close()
