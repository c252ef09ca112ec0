"""Flask for an API: no sessions, no routes that depend on a host, and bodies that are whole.

What Flask does for the others takes a third of its time for a request.
"""

from collections.abc import Iterable
from wsgiref.types import WSGIEnvironment

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import MapAdapter

_WITHOUT_BODY = frozenset({204, 304})


class WholeResponse(Response):
    """A response that was made of its body as bytes. Its headers are right as they are."""

    def get_wsgi_response(self, environ: WSGIEnvironment) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Body, status and headers for the server."""
        if environ["REQUEST_METHOD"] == "HEAD" or self.status_code in _WITHOUT_BODY:
            return super().get_wsgi_response(environ)
        return [self.get_data()], self.status, self.headers.to_wsgi_list()


class _NoSessions(SessionInterface):
    """The null session for every request."""

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002
        return self.make_null_session(app)


class ApiApp(Flask):
    """The application of an API."""

    session_interface = _NoSessions()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Finds the route of a request by its method and path."""
        if request is None or "HTTP_UPGRADE" in request.environ:
            return super().create_url_adapter(request)
        return MapAdapter(self.url_map, "", "/", "", request.scheme, request.path, request.method)


def whole_body(environ: WSGIEnvironment, most: int) -> bytes:
    """The body of a request, which the server has read whole. Raises RequestEntityTooLarge beyond `most` bytes."""
    if int(environ.get("CONTENT_LENGTH") or 0) > most:
        raise RequestEntityTooLarge
    body: bytes = environ["wsgi.input"].read(most)
    return body
