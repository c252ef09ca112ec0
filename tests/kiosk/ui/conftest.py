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
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.staged import StagedCounter


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
def serving(counter: Counter, **options: int) -> Iterator[PageServer]:
    """The page of a counter on a free port."""
    server = PageServer(create_app(counter, DisplaySection(), **options), "127.0.0.1", 0)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Client(requests.Session):
    """Speaks HTTP to one kiosk as its page does."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.trust_env = False
        self.url = url
        self.headers["X-Kiosk"] = "1"

    def request(self, method, url, *args, **kwargs):
        kwargs.setdefault("timeout", 10)
        return super().request(method, self.url + url.lstrip("/"), *args, **kwargs)


class Staged(NamedTuple):
    """A counter, and an open screen in front of it."""

    counter: StagedCounter
    screen: Kiosk

    def begin(self) -> None:
        """The screen as nobody has used it: somebody leaves just now, settings and all. They are awaited one by one; a
        page that misses one of two asks for the whole, which comes when it may and sets the time of a screen anew."""
        self.screen.await_frame(self.counter.refuse_card("phone").frame)
        self.screen.await_frame(self.counter.begin().frame)


@pytest.fixture(scope="module")
def open_screen(browser: Browser) -> Iterator[Staged]:
    """One screen for a file of tests, since opening it takes longer than most of them."""
    counter = StagedCounter()
    with serving(counter) as server:
        screen = Kiosk(browser, server.url).open()
        yield Staged(counter, screen)
        screen.close()


@pytest.fixture
def staged(open_screen: Staged) -> Iterator[Staged]:
    """That screen as nobody has used it. The browser had nothing to complain of at the end, and keeps nothing."""
    open_screen.begin()
    yield open_screen
    assert open_screen.screen.stored == []
    assert open_screen.screen.complaints == []
