"""A store on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.central.store.interface import Store
from tests.sync.central.databases import Cluster, Database


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    made = database.open()
    yield made
    made.close()


@pytest.fixture
def empty_url(database: Database, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if not database.is_postgresql:
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.bare() as url:
        yield url
