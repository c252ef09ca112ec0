"""A response that leaves later, by a server that holds no thread for it and by one that does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from flask import Flask, Response, request

from sync.central.web.http import harden
from sync.central.web.later import LATER, Deliver, LateResponse, respond_later


class Server:
    """A server's own end of one request: what was delivered, and whether the client has left."""

    def __init__(self) -> None:
        self.delivered: list[LateResponse] = []
        self._callbacks: list[Callable[[], None]] = []

    def take(self) -> Deliver:
        return self.delivered.append

    def on_gone(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def leave(self) -> None:
        for callback in self._callbacks:
            callback()


class Parked:
    """A call that waits for its answer."""

    def __init__(self) -> None:
        self.parked = threading.Event()
        self.gone = False

    def park(self, deliver: Deliver) -> Callable[[], None]:
        self._deliver = deliver
        self.parked.set()
        return self._leave

    def answer(self) -> None:
        self._deliver(LateResponse(200, [("Content-Type", "application/json")], b"{", b"}"))

    def _leave(self) -> None:
        self.gone = True


@pytest.fixture
def call() -> Parked:
    return Parked()


@pytest.fixture
def app(call: Parked) -> Flask:
    app = Flask(__name__, static_folder=None)
    harden(app)
    app.add_url_rule("/wait", "wait", view_func=lambda: respond_later(request.environ, call.park))
    app.add_url_rule("/at-once", "at_once", view_func=lambda: Response(b"{}", 200, content_type="application/json"))
    return app


def test_a_server_that_can_wait_gets_the_response_after_the_view(app: Flask, call: Parked) -> None:
    server = Server()
    app.test_client().get("/wait", environ_overrides={LATER: server})
    assert not server.delivered
    call.answer()
    assert [each.body + each.rest for each in server.delivered] == [b"{}"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_response_that_leaves_later_bears_the_headers_of_every_response(
    app: Flask, call: Parked, scheme: str
) -> None:
    server = Server()
    app.test_client().get("/wait", environ_overrides={LATER: server, "wsgi.url_scheme": scheme})
    call.answer()
    at_once = app.test_client().get("/at-once", environ_overrides={"wsgi.url_scheme": scheme})
    length = ("Content-Length", "2")  # the server's own
    assert sorted([*server.delivered[0].headers, length]) == sorted(at_once.headers.items())


def test_a_client_that_leaves_ends_its_call(app: Flask, call: Parked) -> None:
    server = Server()
    app.test_client().get("/wait", environ_overrides={LATER: server})
    server.leave()
    assert call.gone


def test_under_any_other_server_the_call_waits_in_its_thread(app: Flask, call: Parked) -> None:
    responses: list[Response] = []
    waiting = threading.Thread(target=lambda: responses.append(app.test_client().get("/wait")))
    waiting.start()
    assert call.parked.wait(30)
    call.answer()
    waiting.join(30)
    assert [each.data for each in responses] == [b"{}"]
    assert responses[0].headers["Cache-Control"] == "no-store"
