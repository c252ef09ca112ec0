"""HTTP for every endpoint of the centre: JSON in and out, security headers, and an answer to every error.

Errors are values until here. An unforeseen exception is logged and answered with a bare 500.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sync.central.records.site import NoSite
from sync.central.services.answers import Answer, refused
from sync.central.services.errors import ApiError, error_body, nested_too_deep
from sync.central.store.errors import StaleJourney, trouble_in_words

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024  # bytes of a request
_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_NO_STORE = ("Cache-Control", "no-store")
JSON = "application/json"
_INTERNAL = msgspec.json.encode(error_body(ApiError("internal", "Internal error.")))
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


def read_json() -> Any | ApiError:
    """The request's body as plain values. A body that is too large is refused by Flask itself, with 413."""
    if request.content_type != JSON and request.mimetype != JSON:
        return ApiError("unsupported_media_type", "The body must be application/json.")
    return decode(request.get_data(cache=False))


def decode(text: bytes | str) -> Any | ApiError:
    """JSON as plain values, or the error."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):  # ValueError: no UTF-8, or a number of 4300 digits
        return ApiError("malformed", "The body is not JSON that can be read.")


def respond(answer: Answer | ApiError) -> Response:
    """An answer of a service, or an error, as a response."""
    if isinstance(answer, ApiError):
        answer = refused(answer)
    response = Response(answer.body, answer.status, content_type=JSON)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "1"
    return response


def harden(app: Flask) -> None:
    """Gives an app its limits, its headers, and an answer to every error."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.wsgi_app = _with_headers(app.wsgi_app)  # type: ignore[method-assign, assignment]
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RecursionError, lambda _: respond(nested_too_deep("body")))
    for breakage in (sqlite3.OperationalError, StaleJourney):
        app.register_error_handler(breakage, _busy)
    app.register_error_handler(NoSite, _no_site)
    app.register_error_handler(Exception, _broken)


def _with_headers(application: WSGIApplication) -> WSGIApplication:
    """Adds the security headers to every response of an application. Flask's own hook costs more time."""

    def with_headers(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            cached = any(name == _NO_STORE[0] for name, _ in headers)
            return start_response(status, [*headers, *_HEADERS] if cached else [*headers, *_HEADERS, _NO_STORE], *error)

        return application(environ, start)

    return with_headers


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    found = ApiError(_CODES.get(status, "malformed" if status < 500 else "internal"), error.name + ".")
    response = respond(Answer(status, msgspec.json.encode(error_body(found))))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _busy(error: Exception) -> Response:
    log.error("a request met a busy or failing database: %s", error)
    return respond(ApiError("busy", f"{trouble_in_words(error)}."))


def _no_site(error: Exception) -> Response:
    response = respond(ApiError("no_site", f"{error}."))
    del response.headers["Retry-After"]  # an operator has to act first
    return response


def _broken(_: Exception) -> Response:
    # The path only: a query string may hold a patient's number.
    log.exception("a request failed: %s %s", request.method, request.path)
    return respond(Answer(HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL))
