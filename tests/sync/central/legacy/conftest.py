"""A database of the old system with every fault, and a new centre, on each of the two databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.sync.central.databases import POSTGRESQL, SQLITE, Cluster, Database
from tests.sync.central.legacy import old_system
from tests.sync.central.legacy.way import Way

PATIENTS = 66


@pytest.fixture(scope="session")
def spoilt_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the old system. Tests copy it."""
    file = tmp_path_factory.mktemp("old") / "old.sqlite3"
    _make(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def spoilt_template(cluster: Cluster) -> Iterator[str]:
    """The name of a database of the old system on PostgreSQL. Tests copy it."""
    with cluster.bare() as url:
        _make(url)
        yield url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    """The way from an old database into a centre, both on the same kind of database."""
    with ExitStack() as stack:
        if request.param == SQLITE:
            file = shutil.copy(request.getfixturevalue("spoilt_file"), tmp_path / "old.sqlite3")
            database, old = Database(f"sqlite:///{tmp_path}/centre.db"), f"sqlite:///{file}"
        else:
            cluster: Cluster = request.getfixturevalue("cluster")
            old = stack.enter_context(cluster.bare(f"template {request.getfixturevalue('spoilt_template')}"))
            database = Database(stack.enter_context(cluster.database()), tmp_path)
        yield Way(tmp_path, old, database)


def _make(url: str) -> None:
    old_system.run("make", url, PATIENTS)
    old_system.run("spoil", url)
