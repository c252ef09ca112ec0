"""Hospitals of real processes for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Centre and kiosk, enrolled, online, with the demo hospital's patients."""
    made = Town(tmp_path)
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def standing_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One hospital for the tests of a module that do not stop it. Each test uses a person of its own."""
    made = Town(tmp_path_factory.mktemp("town"))
    try:
        made.open()
        yield made
    finally:
        made.close()
