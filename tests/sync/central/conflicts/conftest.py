"""A centre of three patients."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.central.wire import Centre, Time


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    yield made
    made.store.close()
