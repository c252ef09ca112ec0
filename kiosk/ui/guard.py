"""Restricts the page's server to the kiosk's own page on this machine, and tells browsers what to forbid.

A web page from elsewhere must not reach the kiosk through loopback. A foreign `Host` or `Origin` is refused before
anything else, in the WebSocket handshake too. A request that changes something needs a header that a foreign page
cannot send without a preflight request.
"""

import re
from urllib.parse import urlsplit

from werkzeug import Request, Response

from kiosk.addresses import is_loopback
from kiosk.ui.messages import PageError

CHANGE_HEADER = "X-Kiosk"  # of a request that makes a change
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[0-9A-Za-z.-]+)(:[0-9]{1,5})?")

# The page needs its own scripts, styles and images, and its own server. With Trusted Types, turning text into markup is
# an error.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), usb=(), serial=(), hid=()",
}


def check_request(request: Request) -> PageError | None:
    """Returns why a request is refused; None where it may be served."""
    host, origin = request.environ.get("HTTP_HOST"), request.environ.get("HTTP_ORIGIN")
    if host is not None and not _is_own_host(host):
        return PageError(error="this kiosk answers under a loopback name only", code="foreign_host")
    if origin is not None and not _is_own_page(origin):
        return PageError(error="only a page of this kiosk may ask", code="foreign_origin")
    if request.method not in SAFE_METHODS and request.environ.get("HTTP_X_KIOSK") != "1":
        return PageError(error=f"changes need the header {CHANGE_HEADER}: 1", code="header_missing")
    return None


def harden(response: Response) -> Response:
    """Adds headers that forbid caching and everything that the page does not need. Returns the response.

    A page with a policy of its own keeps that.
    """
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


def _is_own_host(host: str) -> bool:
    match = _HOST.fullmatch(host)
    return match is not None and is_loopback(match["name"].strip("[]").lower())


def _is_own_page(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and _is_own_host(parts.netloc) and not parts.path.strip("/")
