"""A kiosk's page on a real port, in front of a counter that the test stages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import requests
from playwright.sync_api import Browser

from kiosk.config import DisplaySection
from kiosk.front.counter import Counter
from kiosk.ui.app import create_app
from kiosk.ui.server import PageServer
from tests.kiosk.ui.admitted import ADMISSION
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.staged import StagedCounter

SHORTLY_DEAD_S = 0.2  # how long new buttons are dead on the screens of tests, which press as soon as they live


@pytest.fixture
def counter() -> StagedCounter:
    return StagedCounter()


@pytest.fixture
def server(counter: StagedCounter) -> Iterator[PageServer]:
    with serving(counter) as server:
        yield server


@pytest.fixture
def kiosk(server: PageServer) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


@contextmanager
def serving(counter: Counter, **options: float) -> Iterator[PageServer]:
    """Serves the page of a counter on a free port."""
    server = PageServer(create_app(counter, DisplaySection(), ADMISSION, **options), ADMISSION, "127.0.0.1", 0)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Client(requests.Session):
    """Calls the HTTP API of one kiosk, with the headers and the cookie of its page."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.trust_env = False
        self.url = url
        self.headers["X-Kiosk"] = "1"
        super().request("GET", ADMISSION.one_time_url(url), timeout=30, allow_redirects=False).raise_for_status()

    def request(self, method, url, *args, **kwargs):
        kwargs.setdefault("timeout", 30)
        return super().request(method, self.url + url.lstrip("/"), *args, **kwargs)


class Staged(NamedTuple):
    """A counter, and an open screen in front of it."""

    counter: StagedCounter
    screen: Kiosk

    def begin(self) -> None:
        """Makes the screen as it is before any use: a person with changed settings leaves it.

        The frames are awaited one by one. A page that misses one asks for the whole screen, whose answer could come
        during the test and start the time of a screen again.
        """
        self.screen.await_frame(self.counter.refuse_card("phone").frame)
        self.screen.await_frame(self.counter.begin().frame)


@contextmanager
def open_at(browser: Browser, dead_s: float) -> Iterator[Staged]:
    """A counter with an open screen, whose new buttons are dead for so many seconds."""
    counter = StagedCounter()
    with serving(counter, dead_s=dead_s) as server:
        screen = Kiosk(browser, server.url).open()
        yield Staged(counter, screen)
        screen.close()


@pytest.fixture(scope="module")
def open_screen(browser: Browser) -> Iterator[Staged]:
    """One screen for all tests of a file, since to open one takes longer than most tests."""
    with open_at(browser, SHORTLY_DEAD_S) as staged:
        yield staged


@pytest.fixture
def staged(open_screen: Staged) -> Iterator[Staged]:
    """The screen as it is before any use. At the end the browser has no complaint and keeps nothing."""
    open_screen.begin()
    yield open_screen
    assert open_screen.screen.stored == []
    assert open_screen.screen.complaints == []
