"""A database and a centre for each test, and a centre that is online for each module."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.sync.central.centre import Centre
from tests.sync.central.databases import POOLED, POSTGRESQL, SQLITE, Cluster, Database
from tests.sync.central.online import PATIENTS, Online
from tests.sync.central.pooler import Pooler, running

LONG = bool(os.environ.get("LONG"))
# The folders whose tests run on each database. In a long run those of the other folders do so too.
_ON_BOTH = ("store", "records", "conflicts", "services", "feed", "desk")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests of some folders on each database, and the others on SQLite alone.

    A long run has all of them on each, and the first ones behind a pooler too.
    """
    if metafunc.definition.get_closest_marker("one_database"):
        return
    if LONG and "online" in metafunc.fixturenames and not hasattr(metafunc.module, "online"):
        metafunc.parametrize("online", (SQLITE, POSTGRESQL), indirect=True, scope="module")
    if "database" not in metafunc.fixturenames:
        return
    if LONG or metafunc.definition.path.parent.name in _ON_BOTH:
        behind = (POOLED,) if LONG and metafunc.definition.path.parent.name in _ON_BOTH else ()
        metafunc.parametrize("database", (SQLITE, POSTGRESQL, *behind), indirect=True)


@pytest.fixture(scope="session")
def pooler(cluster: Cluster) -> Iterator[Pooler]:
    """A pooler before that PostgreSQL."""
    with running(cluster) as made:
        yield made


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    if getattr(request, "param", SQLITE) == SQLITE:
        yield Database(f"sqlite:///{tmp_path}/centre.db")
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database() as url:
        if request.param == POOLED:
            pooler: Pooler = request.getfixturevalue("pooler")
            yield Database(pooler.through(url), tmp_path, direct=url)
        else:
            yield Database(url, tmp_path)


@pytest.fixture
def centre(database: Database, tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path, database=database)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def online(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    directory = tmp_path_factory.mktemp("online")
    with ExitStack() as stack:
        database = None
        if getattr(request, "param", SQLITE) == POSTGRESQL:
            cluster: Cluster = request.getfixturevalue("cluster")
            database = Database(stack.enter_context(cluster.database()), directory)
        made = Online(directory, centre=Centre(directory, patients=PATIENTS, database=database))
        stack.callback(made.close)
        yield made
