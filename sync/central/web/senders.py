"""Who sends a request: the bearer token in the headers of a request or of a WebSocket handshake."""

from wsgiref.types import WSGIEnvironment

from flask import request


def header_token() -> str | None:
    """The token of `Authorization: Bearer` (RFC 6750, 2.1); None without one."""
    return token_of(request.environ)


def token_of(environ: WSGIEnvironment) -> str | None:
    """As `header_token`, of a request that Flask has not seen."""
    return _after_bearer(environ.get("HTTP_AUTHORIZATION", ""), " ")


def socket_token() -> str | None:
    """The token of a WebSocket handshake.

    Apps send a header. Browsers cannot set one and offer the subprotocols `bearer, <token>`.
    """
    return header_token() or _after_bearer(request.headers.get("Sec-WebSocket-Protocol", ""), ",")


def _after_bearer(header: str, separator: str) -> str | None:
    scheme, _, token = header.partition(separator)
    return token.strip() or None if scheme.strip().lower() == "bearer" else None
