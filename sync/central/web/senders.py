"""Who sends a request: the bearer token, or the session in a cookie, in the headers of a request or a handshake."""

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Collection
from typing import Any
from wsgiref.types import WSGIEnvironment

from flask import request

from sync.central.centre import Centre
from sync.central.network.bearer import SECURE_SESSION, SESSION, session_in, token_in
from sync.central.network.web_settings import WebSettings
from sync.central.records.duties import OF_PROGRAMS, Duty
from sync.central.records.tokens import Bearer, hash_of
from sync.central.services.authentication import authenticate, authenticate_person, authenticate_session
from sync.central.services.errors import ApiError
from sync.central.web.origins import FOREIGN_ORIGIN, Origins
from sync.journey.model import Role

CSRF = "X-CSRF-Token"
UNATTENDED = "X-Unattended"  # a page asks by itself, and nobody has pressed anything
_STALE_PAGE = ApiError("stale_page", "The page is of another session than the cookie: load it again.")


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


def session_attributes() -> dict[str, Any]:
    """The attributes of the cookie of a session. It lives as long as the browser runs, or the session."""
    return {"path": "/", "secure": request.is_secure, "httponly": True, "samesite": "Strict"}


def is_in_clear(web: WebSettings) -> bool:
    """Whether a request crossed a network unencrypted, though the centre has an https URL."""
    is_here = ipaddress.ip_address(request.remote_addr or "127.0.0.1").is_loopback
    return not request.is_secure and not is_here and web.public_url.startswith("https:")


def cookie_session() -> str | None:
    """The session in the cookie of a request; None without one."""
    return session_in(request.headers.get("Cookie", ""), session_cookie())


def socket_token() -> str | None:
    """The token of a WebSocket handshake; None without one."""
    return token_in(request.headers.get("Authorization", ""), request.headers.get("Sec-WebSocket-Protocol", ""))


def sender_of(
    centre: Centre, origins: Origins, roles: Collection[Role], duties: frozenset[Duty] = OF_PROGRAMS
) -> Bearer | ApiError:
    """The sender of the present request: the bearer of a token, or the person whose page sends the cookie."""
    token = header_token()
    session = cookie_session() if token is None and Role.STAFF in roles else None
    if session is None:
        return authenticate(centre, token, roles, request.remote_addr, duties)
    if not origins.is_own_page(request.environ):
        return FOREIGN_ORIGIN
    is_of_session = hmac.compare_digest(csrf_of(session).encode(), request.headers.get(CSRF, "").encode())
    is_attended = is_of_session and UNATTENDED not in request.headers
    found = authenticate_person(centre, session, request.remote_addr, duties, is_attended=is_attended)
    return found if isinstance(found, ApiError) or is_of_session else _STALE_PAGE


def socket_sender(
    centre: Centre, origins: Origins, roles: Collection[Role], duties: frozenset[Duty] = OF_PROGRAMS
) -> tuple[Bearer | ApiError, str | None]:
    """Who opens a WebSocket, and the hash of the session where a cookie opens it. FOREIGN_ORIGIN is no sender at all.

    What an app's session opens, the pages of allowed origins may open. What a person's opens is for the centre's own.
    """
    token = socket_token()
    session = cookie_session() if token is None else None
    may_open = origins.may_open_socket if session is None else origins.may_use_cookie
    if not may_open(request.environ):
        return FOREIGN_ORIGIN, None
    if session is None:
        return authenticate(centre, token, roles, request.remote_addr, duties), None
    found = authenticate_session(centre, session, roles, request.remote_addr, duties)
    is_person = isinstance(found, Bearer) and found.account_id is not None
    if is_person and not origins.is_own_page(request.environ):
        return FOREIGN_ORIGIN, None
    return found, hash_of(session)


def csrf_of(session: str) -> str:
    """What the pages of a session send beside its cookie. A page of another site cannot know it."""
    made = hmac.digest(session.encode("utf-8", "surrogatepass"), b"a page of this session", hashlib.sha256)
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()
