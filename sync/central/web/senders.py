"""Who sends a request: the bearer token, or the session in a cookie, in the headers of a request or a handshake."""

from wsgiref.types import WSGIEnvironment

from flask import request

from sync.central.network.bearer import SECURE_SESSION, SESSION, session_in, token_in


def header_token() -> str | None:
    """The token in the headers of a request; None without one."""
    return token_of(request.environ)


def token_of(environ: WSGIEnvironment) -> str | None:
    """As `header_token`, of a request that Flask has not seen."""
    return token_in(environ.get("HTTP_AUTHORIZATION", ""))


def session_cookie() -> str:
    """The name of the cookie of a session. Over https it has a prefix by which browsers keep other hosts from setting
    it (RFC 6265bis, 4.1.3.2).
    """
    return SECURE_SESSION if request.is_secure else SESSION


def cookie_session() -> str | None:
    """The session in the cookie of a request; None without one."""
    return session_in(request.headers.get("Cookie", ""), session_cookie())


def socket_token() -> str | None:
    """The token of a WebSocket handshake; None without one."""
    return token_in(request.headers.get("Authorization", ""), request.headers.get("Sec-WebSocket-Protocol", ""))
