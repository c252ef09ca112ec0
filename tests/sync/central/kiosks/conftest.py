"""A centre with patients, and a kiosk of it without a store, which pushes any body."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.central.databases import Database
from tests.sync.central.kiosks.sender import Sender
from tests.sync.central.wire import Centre, Time


@pytest.fixture
def centre(database: Database, tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time(), database=database)
    yield made
    made.store.close()


@pytest.fixture
def sender(centre: Centre) -> Sender:
    return Sender(centre)
