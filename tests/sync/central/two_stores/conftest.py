"""A centre, and two enrolled kiosks with every grant, which have pulled its roster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.maintenance.incarnation import open_incarnation
from tests.sync.central.databases import Database
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk, Time


@pytest.fixture
def centre(database: Database, tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time(), database=database)
    open_incarnation(made.store)
    yield made
    made.store.close()


@pytest.fixture
def kiosk(tmp_path: Path, centre: Centre) -> Kiosk:
    return _enrolled(tmp_path, centre, "A")


@pytest.fixture
def other(tmp_path: Path, centre: Centre) -> Kiosk:
    return _enrolled(tmp_path, centre, "B")


def _enrolled(tmp_path: Path, centre: Centre, prefix: str) -> Kiosk:
    made = Kiosk(tmp_path / f"{prefix}.db", centre, prefix, EVERYTHING)
    made.pull()
    return made
