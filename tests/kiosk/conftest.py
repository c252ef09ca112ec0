"""Fixtures for all tests of the kiosk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kiosk.reception_rig import ReceptionRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ReceptionRig]:
    """A reception on a real store."""
    made = ReceptionRig(tmp_path)
    yield made
    made.reception.stop()
    made.store.close()
