"""A centre of three patients."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.central.databases import Database
from tests.sync.central.wire import Centre, Time


@pytest.fixture
def centre(database: Database, tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time(), database=database)
    yield made
    made.store.close()
