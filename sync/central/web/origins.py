"""Which other origins may call the centre: CORS for HTTP (WHATWG Fetch), and the check of a WebSocket's origin.

A page of another origin has no token that it was not given. The check keeps pages that nobody allowed from using a
token all the same, and from holding the centre's sockets through the browsers of visitors. What a cookie opens needs an
origin, since a browser may send the cookie for any page.
"""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sync.central.network.headers import REQUEST_ID
from sync.central.network.web_settings import WebSettings
from sync.central.services.errors import ApiError

_FOR_KIOSKS = ("/api/v1/sync/", "/api/v1/kiosks/")  # no browser calls these
_VARY = ("Vary", "Origin")
_PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE"),
    ("Access-Control-Allow-Headers", f"Authorization, Content-Type, If-None-Match, {REQUEST_ID}"),
    ("Access-Control-Max-Age", "600"),
    ("Content-Length", "0"),
]
_WITH_COOKIES = ("Access-Control-Allow-Credentials", "true")
_OF_ANYBODY = frozenset({"null", "file://"})  # origins that many pages share: they open nothing by a cookie
FOREIGN_ORIGIN = ApiError("foreign_origin", "A page of another site may not do this.")
_EXPOSED = ("Access-Control-Expose-Headers", f"ETag, Retry-After, {REQUEST_ID}")


class Origins:
    """The origins of one centre."""

    def __init__(self, settings: WebSettings) -> None:
        self._public = settings.public_url
        self._allowed = frozenset(settings.allowed_origins)

    def may_open_socket(self, environ: WSGIEnvironment) -> bool:
        """Whether a handshake comes from an app, from a page of the centre's own origin, or from an allowed one."""
        origin = environ.get("HTTP_ORIGIN")
        return origin is None or origin in self._allowed or self._is_own(origin, environ)

    def may_use_cookie(self, environ: WSGIEnvironment) -> bool:
        """Whether what a cookie opens comes from a page of the centre's own origin, or from an allowed one."""
        origin = environ.get("HTTP_ORIGIN")
        return origin is not None and origin not in _OF_ANYBODY and self.may_open_socket(environ)

    def is_own_page(self, environ: WSGIEnvironment) -> bool:
        """Whether a page of the centre's own origin sends a request.

        Browsers name the origin where they send what changes something, and newer ones say what sends a request (Fetch
        Metadata).
        """
        origin = environ.get("HTTP_ORIGIN")
        if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") != "same-origin":
            return False
        if origin is None:
            return environ["REQUEST_METHOD"] in ("GET", "HEAD")
        return origin not in _OF_ANYBODY and self._is_own(origin, environ)

    def with_cors(self, application: WSGIApplication) -> WSGIApplication:
        """An application that tells browsers which origins may read its answers."""
        if not self._allowed:
            return application

        def with_cors(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ.get("PATH_INFO", "").startswith(_FOR_KIOSKS):
                return application(environ, start_response)
            origin = environ.get("HTTP_ORIGIN", "")
            granted = [("Access-Control-Allow-Origin", origin)] if origin in self._allowed else []
            if granted and origin not in _OF_ANYBODY:
                granted.append(_WITH_COOKIES)
            if granted and environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
                start_response("204 No Content", [*granted, *_PREFLIGHT, _VARY])
                return []
            # A cache must not answer one origin with what it keeps for another, or for none.
            return application(environ, _adding([*granted, *([_EXPOSED] if granted else []), _VARY], start_response))

        return with_cors

    def _is_own(self, origin: str, environ: WSGIEnvironment) -> bool:
        """Whether an origin is that of the public URL. Without one, whether it names the host that was called."""
        if self._public:
            return origin == self._public
        host = environ.get("HTTP_HOST", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        scheme, _, place = origin.partition("://")
        if environ["wsgi.url_scheme"] == "https" and scheme != "https":
            return False  # whoever is on the way can make a page over http
        # Clients may leave the port out.
        return bool(place) and place in (host, f"{name}:{environ['SERVER_PORT']}")


def _adding(headers: list[tuple[str, str]], start_response: StartResponse) -> StartResponse:
    def start(status: str, given: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
        return start_response(status, [*given, *headers], *error)

    return start
