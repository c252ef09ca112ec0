"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from playwright.sync_api import Browser

from tests.components import chromium
from tests.kiosk.ui.browser import running

# No time is asserted in a test: a busy machine is no fault of the product.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a process: its starting takes longer than most of them."""
    with running(chromium()) as browser:
        yield browser
