"""A kiosk's page on a real port, in front of a counter that the test stages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from kiosk.config import DisplaySection
from kiosk.ui.app import create_app
from kiosk.ui.server import PageServer
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
def serving(counter: StagedCounter, **options: int) -> Iterator[PageServer]:
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
