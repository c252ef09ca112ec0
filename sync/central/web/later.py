"""A response that leaves later: a call that waits for news holds no thread.

A server that can wait without a thread puts a `Later` into the WSGI environ, under `LATER`. Under any other server,
such as Flask's test client, the call waits in its thread.
"""

import queue
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Response

from sync.central.web.http import no_response, response_of, security_headers

LATER = "sync.later"  # the name in the environ


@dataclass(frozen=True, slots=True)
class LateResponse:
    """A response as it leaves. `rest` is the end of its body, the same bytes for many responses, or nothing."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    rest: bytes = b""


Deliver = Callable[[LateResponse], None]
Park = Callable[[Deliver], Callable[[], None]]


class Later(Protocol):
    """What a server offers to one request, whose response may leave later."""

    def take(self) -> Deliver:
        """Takes the response over from the view, whose own response is dropped then. Called once at most.

        The function that it returns sends the response. It is called once, from any thread, also before the view has
        returned. It raises nothing where the client has left.
        """
        ...

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once, from any thread, when the client has left before its response. At once, where it has
        left already."""
        ...


def respond_later(environ: WSGIEnvironment, park: Park) -> Response:
    """What a view returns whose response leaves later. `park` gets the function that sends it, and may call it at once.

    `park` returns the function that is called when the client leaves first.
    """
    later: Later | None = environ.get(LATER)
    if later is None:
        return _wait_in_thread(park)
    take_over(environ, later, park)
    return no_response()


def take_over(environ: WSGIEnvironment, later: Later, park: Park) -> None:
    """As `respond_later`, for a server that can wait without a thread."""
    deliver = later.take()
    # The response passes no layer that wraps the application, so it gets their headers here.
    added = security_headers(environ)

    def send(response: LateResponse) -> None:
        deliver(replace(response, headers=[*response.headers, *added]))

    later.on_gone(park(send))


def beside_flask(
    application: WSGIApplication, path: str, take: Callable[[WSGIEnvironment, Later], bool]
) -> WSGIApplication:
    """An application that offers each POST to a path to `take`, and has Flask answer what that does not take over.

    Flask needs more time for a request and its response than most calls that wait.
    """

    def beside(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        later: Later | None = environ.get(LATER)
        is_offered = later is not None and environ["PATH_INFO"] == path and environ["REQUEST_METHOD"] == "POST"
        if later is not None and is_offered and take(environ, later):
            start_response("204 No Content", [])
            return ()
        return application(environ, start_response)

    return beside


def late(response: Response) -> LateResponse:
    """Flask's response as one that leaves later."""
    return LateResponse(response.status_code, list(response.headers), response.get_data())


def _wait_in_thread(park: Park) -> Response:
    delivered: queue.SimpleQueue[LateResponse] = queue.SimpleQueue()
    park(delivered.put)
    response = delivered.get()
    return response_of(response.status, response.headers, response.body + response.rest)
