"""Settings and fixtures for every test."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from hypothesis import settings
from playwright.sync_api import Browser

from tests import components
from tests.kiosk.ui.browser import running
from tests.sync.central import databases
from tests.sync.central.databases import Cluster

# No test asserts a time: a busy machine is no fault of the product.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


# Whole systems wait for processes and outages. They begin first, so that no worker waits for one of them at the end.
LONGEST_FIRST = ("reliability", "storm", "whole")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the tests of whole systems before the others. Tests of one file stay in their order."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in LONGEST_FIRST)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Takes what thousands of collected tests have made out of every later collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a process: its starting takes longer than most of them."""
    with running(components.chromium()) as browser:
        yield browser


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A private PostgreSQL for all tests of a process."""
    with databases.cluster() as made:
        yield made


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A small file system that a test can fill; `@pytest.mark.disk("2m")` says how small."""
    marker = request.node.get_closest_marker("disk")
    assert marker is not None, "the test says how small its disk is"
    # Of a name of its own: a connection that a failed start has left is collected later, and SQLite then removes the
    # log by its path, which another test may have by then.
    with components.small_disk(tmp_path / f"disk-{token_hex(4)}", *marker.args) as place:
        yield place
