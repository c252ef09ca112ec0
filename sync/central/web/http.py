"""HTTP for every endpoint of the centre: JSON in and out, security headers, and an answer to every error.

Errors are values until here. An unforeseen exception is logged and answered with a bare 500.
"""

import hashlib
import logging
import sqlite3
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sync.central.network.headers import HTTPS_ONLY, JSON, NO_STORE, SECURITY
from sync.central.records.site import NoSite
from sync.central.services.door import Outgoing, say
from sync.central.services.errors import ApiError, nested_too_deep
from sync.central.store.errors import StaleJourney, trouble_in_words
from sync.central.web.api_app import WholeResponse, whole_body
from sync.text import holds_nul

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024  # bytes of a request
INTERNAL = ApiError("internal", "Internal error.")
_NUL = ApiError("malformed", "A text of the request holds U+0000.")
_OVER_HTTP = (*SECURITY, NO_STORE)
_OVER_HTTPS = (*_OVER_HTTP, HTTPS_ONLY)
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


def read_json() -> Any | ApiError:
    """The request's body as plain values. A body that is too large is refused with 413."""
    environ = request.environ
    if environ.get("CONTENT_TYPE") != JSON and request.mimetype != JSON:
        return ApiError("unsupported_media_type", "The body must be application/json.")
    return decode(whole_body(environ, MAX_BODY))


def decode(text: bytes | str) -> Any | ApiError:
    """JSON as plain values, or the error."""
    if holds_nul(text):
        return _NUL
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):  # ValueError: no UTF-8, or a number of 4300 digits
        return ApiError("malformed", "The body is not JSON that can be read.")


def respond(status: int, body: Outgoing) -> Response:
    """The response with what came through the door."""
    response = WholeResponse(body, status, content_type=JSON)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "1"
    return response


def respond_text(body: Outgoing, media: str) -> Response:
    """The response with a text of another type than JSON."""
    return WholeResponse(body, content_type=media)


class Cached:
    """A public document that caches may keep for a minute, with its media type and its entity tag."""

    def __init__(self, body: Outgoing, media: str = JSON, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """`headers` are the document's own, such as another policy than that of data."""
        self.body = body
        self.media = media
        self.headers = headers
        self.etag = hashlib.sha256(body).hexdigest()[:32]


def respond_cached(document: Cached) -> Response:
    """The response with a public document, or that the client has it already."""
    response = WholeResponse(document.body, content_type=document.media, headers=list(document.headers))
    response.set_etag(document.etag)
    response.headers["Cache-Control"] = "public, max-age=60"
    response.make_conditional(request)
    return response


def response_of(status: int, headers: list[tuple[str, str]], body: bytes) -> Response:
    """A response that was made outside of its view."""
    return Response(body, status, headers)


def no_response() -> Response:
    """What a view returns whose response leaves later, or which opens a WebSocket. The server drops it."""
    return Response(status=HTTPStatus.NO_CONTENT)


def respond_error(error: ApiError) -> Response:
    """The response to a request that was not granted. It tells of no patient."""
    return respond(error.status, say(error))


def harden(app: Flask) -> None:
    """Gives an app its limits, its headers, and an answer to every error."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.wsgi_app = _with_headers(_without_nul(app.wsgi_app))  # type: ignore[method-assign, assignment]
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RecursionError, lambda _: respond_error(nested_too_deep("body")))
    for breakage in (sqlite3.OperationalError, StaleJourney):
        app.register_error_handler(breakage, _busy)
    app.register_error_handler(NoSite, _no_site)
    app.register_error_handler(Exception, _broken)


def security_headers(environ: WSGIEnvironment) -> tuple[tuple[str, str], ...]:
    """The headers that every response to a request bears. One that already says how it may be stored keeps that."""
    return _OVER_HTTPS if environ["wsgi.url_scheme"] == "https" else _OVER_HTTP


def _with_headers(application: WSGIApplication) -> WSGIApplication:
    """Adds the security headers to every response of an application. Flask's own hook costs more time."""

    def with_headers(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            added = security_headers(environ)
            names = [name for name, _ in headers]
            if NO_STORE[0] in names:
                added = tuple(each for each in added if each[0] not in names)
            return start_response(status, [*headers, *added], *error)

        return application(environ, start)

    return with_headers


def _without_nul(application: WSGIApplication) -> WSGIApplication:
    """Refuses a URL with U+0000, which no id and no name holds, and not every database can look for."""

    def without_nul(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "\0" in environ["PATH_INFO"] or "%00" in environ["QUERY_STRING"]:
            return respond_error(_NUL)(environ, start_response)
        return application(environ, start_response)

    return without_nul


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    found = ApiError(_CODES.get(status, "malformed" if status < 500 else "internal"), error.name + ".")
    response = respond(status, say(found))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _busy(error: Exception) -> Response:
    log.error("a request met a busy or failing database: %s", error)
    return respond_error(ApiError("busy", f"{trouble_in_words(error)}."))


def _no_site(error: Exception) -> Response:
    response = respond_error(ApiError("no_site", f"{error}."))
    del response.headers["Retry-After"]  # an operator has to act first
    return response


def _broken(_: Exception) -> Response:
    # The path only: a query string may hold a patient's number.
    log.exception("a request failed: %s %s", request.method, request.path)
    return respond(HTTPStatus.INTERNAL_SERVER_ERROR, say(INTERNAL))
