"""The real centre on a real port, and both kinds of clients."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.protocol.subjects import Make, RealAgent, Second, Site, Subject
from tests.sync.central.databases import POSTGRESQL, SQLITE, Cluster, Database


@pytest.fixture(params=[SQLITE, POSTGRESQL] if os.environ.get("LONG") else [SQLITE])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """The centre. A long run has it on each database."""
    with ExitStack() as stack:
        database = None
        if request.param == POSTGRESQL:
            cluster: Cluster = request.getfixturevalue("cluster")
            database = Database(stack.enter_context(cluster.database()), tmp_path)
        made = Site(tmp_path / "centre.db", database)
        stack.callback(made.close)
        yield made


@pytest.fixture(params=[RealAgent, Second], ids=["our agent", "second client"])
def make(request: pytest.FixtureRequest, tmp_path: Path, site: Site) -> Iterator[Make]:
    """Makes enrolled clients of one kind, with their roster."""
    made: list[Subject] = []

    def one() -> Subject:
        subject: Subject = request.param(tmp_path)
        subject.enrol(site)
        subject.pull()
        made.append(subject)
        return subject

    yield one
    for subject in made:
        subject.close()
