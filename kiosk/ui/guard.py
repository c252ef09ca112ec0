"""Who may talk to the page's server: this machine, from a page of this machine; and what browsers are told to forbid.

A web page that somebody opens elsewhere must not reach the kiosk through loopback: foreign `Host` and `Origin` are
refused before anything else happens, the WebSocket handshake included, and whatever changes something needs a header
that a foreign page cannot send without asking.
"""

import re
from urllib.parse import urlsplit

from werkzeug import Request, Response

from kiosk.config import is_loopback
from kiosk.ui.messages import PageError

MARK = "X-Kiosk"  # the header of whoever means to change something
READING = frozenset({"GET", "HEAD", "OPTIONS"})

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[0-9A-Za-z.-]+)(:[0-9]{1,5})?")

# Only what the page needs: its own scripts, styles and images, and its own server to talk to. Trusted Types turn any
# text that would become markup into an error.
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
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), usb=(), serial=(), hid=()",
}


def why_refused(request: Request) -> PageError | None:
    """Why a request is not served at all; None where it may go on."""
    host, origin = request.environ.get("HTTP_HOST"), request.environ.get("HTTP_ORIGIN")
    if host is not None and not _is_here(host):
        return PageError(error="this kiosk is reached by a loopback name only", code="foreign_host")
    if origin is not None and not _is_page_here(origin):
        return PageError(error="only a page of this kiosk may ask", code="foreign_origin")
    if request.method not in READING and request.environ.get("HTTP_X_KIOSK") != "1":
        return PageError(error=f"changes need the header {MARK}: 1", code="header_missing")
    return None


def harden(response: Response) -> Response:
    """The same answer with everything forbidden that the page does not need, and nothing kept in a cache."""
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


def _is_here(host: str) -> bool:
    found = _HOST.fullmatch(host)
    return found is not None and is_loopback(found["name"].strip("[]").lower())


def _is_page_here(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and _is_here(parts.netloc) and not parts.path.strip("/")
