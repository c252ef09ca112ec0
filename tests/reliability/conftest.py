"""Fixtures of the reliability tests: the compiled library, and a directory where a sync costs nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability import preload


@pytest.fixture(scope="session")
def watched_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library between a process and its disk."""
    return preload.build(tmp_path_factory.mktemp("watched-disk"))


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A directory in memory, where a sync costs nothing. The tests cut the power or fail the calls on purpose."""
    with tempfile.TemporaryDirectory(prefix="nfc-kiosk-", dir=preload.in_memory()) as made:
        yield Path(made)
