"""The real centre on a real port, and both kinds of clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.protocol.subjects import Make, RealAgent, Second, Site, Subject


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "centre.db")
    yield made
    made.close()


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
