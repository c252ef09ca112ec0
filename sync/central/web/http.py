"""HTTP as every endpoint of the centre speaks it: bearer tokens, JSON in and out, and an answer to whatever comes.

Errors are values until here; what was not foreseen is logged and answered with 500 and nothing of its inside.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sync.central.records.site import NoSite
from sync.central.records.tokens import Bearer, bearer
from sync.central.services.errors import ApiError, error_body
from sync.central.services.journey_service import Answer, JourneyService, refused
from sync.central.store.errors import StaleJourney
from sync.journey.model import Role

log = logging.getLogger(__name__)
P = ParamSpec("P")

MAX_BODY = 64 * 1024
_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_NO_STORE = ("Cache-Control", "no-store")
_JSON = "application/json"
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
_UNAUTHORIZED = ApiError("unauthorized", "A valid bearer token is needed.")
_FORBIDDEN = ApiError("forbidden", "This token may not do that.")


def authenticate(service: JourneyService) -> Bearer | ApiError:
    """Who sends this request, by `Authorization: Bearer` (RFC 6750, 2.1)."""
    scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return _UNAUTHORIZED
    with service.store.read() as db:
        return bearer(db, token.strip(), service.clock()) or _UNAUTHORIZED


def admit(service: JourneyService, *roles: Role) -> Bearer | ApiError:
    """The sender, if their token is of one of these roles."""
    sender = authenticate(service)
    if isinstance(sender, Bearer) and sender.role not in roles:
        return _FORBIDDEN
    return sender


def admitting(
    service: JourneyService, *roles: Role
) -> Callable[[Callable[Concatenate[Bearer, P], Response]], Callable[P, Response]]:
    """A decorator for views that only senders with such a token reach; the view gets the sender first."""

    def admitted_only(view: Callable[Concatenate[Bearer, P], Response]) -> Callable[P, Response]:
        @wraps(view)
        def admitted(*args: P.args, **kwargs: P.kwargs) -> Response:
            sender = admit(service, *roles)
            return fault(sender) if isinstance(sender, ApiError) else view(sender, *args, **kwargs)

        return admitted

    return admitted_only


def read_json() -> Any | ApiError:
    """The request's body as plain values. A body that is too large is refused by Flask itself, with 413."""
    if request.content_type != _JSON and request.mimetype != _JSON:
        return ApiError("unsupported_media_type", "The body must be application/json.")
    return decode(request.get_data(cache=False))


def decode(text: bytes | str) -> Any | ApiError:
    """JSON as plain values, or what is wrong with it."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):  # ValueError: no UTF-8, or a number of 4300 digits
        return ApiError("malformed", "The body is not JSON that can be read.")


def answer(given: Answer) -> Response:
    """An answer of the service as a response."""
    response = Response(given.body, given.status, content_type=_JSON)
    if given.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def fault(found: ApiError) -> Response:
    """A fault as a response."""
    return answer(refused(found))


def reply(value: object, status: int = 200) -> Response:
    """Any value as a response in JSON."""
    return Response(msgspec.json.encode(value), status, content_type=_JSON)


def harden(app: Flask) -> None:
    """Gives an app its limits, its headers, and an answer for everything that goes wrong."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.wsgi_app = _with_headers(app.wsgi_app)  # type: ignore[method-assign, assignment]
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RecursionError, lambda _: fault(ApiError("malformed", "The body is nested too deep.")))
    for breakage in (sqlite3.OperationalError, StaleJourney):
        app.register_error_handler(breakage, _busy)
    app.register_error_handler(NoSite, lambda error: _unavailable(str(error)))
    app.register_error_handler(Exception, _broken)


def _with_headers(application: WSGIApplication) -> WSGIApplication:
    """The same application with the security headers on every response. Cheaper here than through Flask."""

    def with_headers(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            cached = any(name == _NO_STORE[0] for name, _ in headers)
            return start_response(status, [*headers, *_HEADERS] if cached else [*headers, *_HEADERS, _NO_STORE], *error)

        return application(environ, start)

    return with_headers


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    found = ApiError(_CODES.get(status, "malformed" if status < 500 else "internal"), error.name + ".")
    response = Response(msgspec.json.encode(error_body(found)), status, content_type=_JSON)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _busy(error: Exception) -> Response:
    log.error("a request met a busy or failing database: %s", error)
    return _unavailable("The database is busy; try again.")


def _unavailable(why: str) -> Response:
    response = fault(ApiError("busy", why))
    response.headers["Retry-After"] = "1"
    return response


def _broken(_: Exception) -> Response:
    # The path only: a query string may name a patient's number typed by hand.
    log.exception("a request failed: %s %s", request.method, request.path)
    return Response(
        msgspec.json.encode(error_body(ApiError("internal", "It failed inside."))), 500, mimetype="application/json"
    )
