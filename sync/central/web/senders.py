"""Who sends a request: the bearer token in the headers of a request or of a WebSocket handshake."""

from wsgiref.types import WSGIEnvironment

from flask import request

from sync.central.network.bearer import token_in


def header_token() -> str | None:
    """The token in the headers of a request; None without one."""
    return token_of(request.environ)


def token_of(environ: WSGIEnvironment) -> str | None:
    """As `header_token`, of a request that Flask has not seen."""
    return token_in(environ.get("HTTP_AUTHORIZATION", ""))


def socket_token() -> str | None:
    """The token of a WebSocket handshake; None without one."""
    return token_in(request.headers.get("Authorization", ""), request.headers.get("Sec-WebSocket-Protocol", ""))
