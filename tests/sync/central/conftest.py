"""A centre for each test, and one that is online for each module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.central.centre import Centre
from tests.sync.central.online import Online


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    made = Online(tmp_path_factory.mktemp("online"))
    yield made
    made.close()
