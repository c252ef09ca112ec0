"""What came instead of the centre's answer, in words for the person who looks after the network.

Each reason is a code, a colon and an English sentence. A reason never quotes a body, but for the title of a web page.
"""

import errno
import http.client
import re
import socket
import ssl
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3

from sync.agent.cancellable import CallCancelled
from sync.protocol import CallRefused, EndCode

MAX_ANSWER = 16 * 1024 * 1024
MAX_WORDS = 200  # characters of a sentence that the centre wrote
MAX_NAME = 60  # characters of a title, a type or a host

_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_TLS_ALERT = "\x15\x03"
_OF_A_FILTER = frozenset(
    {"web_page", "reset", "closed", "too_slow", "empty", "cut_short", "content_type", "not_protocol", "transformed"}
)
_KEPT = "this kiosk goes on, and keeps its patients and unsent actions"
_NO_CENTRE = "a proxy on the way gets no answer from the centre: is the service running?"
# The call may have reached the centre, which may have done what it asks for.
_MAY_HAVE_ARRIVED = frozenset({"reset", "closed", "too_slow", "empty", "cut_short", "gateway"})
# Statuses that the centre never sends, whatever their body holds.
_OF_OTHERS = {
    407: ("proxy_login", "a proxy asks for a login"),
    429: ("rate_limited", "something on the way limits the number of calls: except the centre from that"),
    502: ("gateway", _NO_CENTRE),
    504: ("gateway", _NO_CENTRE),
    511: ("portal", "a portal of the network asks for a login: except this kiosk from that"),
}
_UNTOUCHED = frozenset({"", "identity", "gzip"})


class TooLarge(ValueError):
    """An answer has more than MAX_ANSWER bytes."""


@dataclass(frozen=True, slots=True)
class Received:
    """An HTTP answer as it came. `location` and `encoding` are the headers Location and Content-Encoding."""

    status: int
    body: bytes
    content_type: str = ""
    encoding: str = ""
    location: str = ""
    retry_after_s: float | None = None


def in_words(refused: CallRefused) -> str:
    """Why the centre refused a call."""
    if refused.code is EndCode.NOT_KNOWN:
        if refused.token_sha256 is None:
            lost = "this kiosk's token does not reach the centre: a proxy may drop or change the header Authorization"
            return f"not_known: {lost}; {_KEPT}"
        return f"not_known: the centre does not know this kiosk's token: run kiosk enroll with a new code; {_KEPT}"
    if refused.code is EndCode.REPLACED:
        copied = "a newer token of this kiosk is in use: a copy of its disk is, or its disk was set back"
        return f"replaced: {copied}: run kiosk enroll with a new code; {_KEPT}"
    return f"{refused.code}: {_printable(refused.error, MAX_WORDS)}"


def advised(reason: str, path: str) -> str:
    """A reason, and what helps where a filter on the way may have refused the call to `path` for its content."""
    if reason.partition(":")[0] not in _OF_A_FILTER:
        return reason
    return f"{reason}; where other calls pass, let the network pass POST {path} and its answers unread"


def may_have_arrived(reason: str) -> bool:
    """Whether a call that failed for this reason may have reached the centre, and a repeat may get an answer."""
    return reason.partition(":")[0] in _MAY_HAVE_ARRIVED


def altered(received: Received) -> str | None:
    """Why an answer must not be read, whatever its body holds; None where it may be read."""
    status = received.status
    if status == 203:
        # RFC 9110, 15.3.4. Data of patients that something has changed is worse than none.
        return "transformed: HTTP 203: a proxy has changed the centre's answer"
    if 300 <= status < 400:
        return f"redirect: HTTP {status}: the answer leads to {_host(received.location)}, not to the centre"
    if status in _OF_OTHERS:
        code, words = _OF_OTHERS[status]
        return f"{code}: HTTP {status}: {words}"
    if received.encoding.strip().lower() not in _UNTOUCHED:
        encoding = _printable(received.encoding, MAX_NAME)
        return f"compressed: HTTP {status} in an encoding that was not asked for: {encoding}"
    return f"empty: HTTP {status} without a body" if not received.body else None


def plain_body(received: Received) -> bytes:
    """The body without what a proxy may add and what cannot change its meaning: gzip, and a byte order mark.

    gzip names itself and ends in a checksum (RFC 1952, 2.3.1), with the header or without it. RFC 8259, 8.1, allows to
    ignore a byte order mark. Raises zlib.error where the compressed data is damaged, TooLarge, and EOFError where it
    was cut short.
    """
    body = received.body
    if body.startswith(_GZIP):
        unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16)
        # Bounded: a small answer could fill the memory.
        body = unpacked.decompress(body, MAX_ANSWER)
        if unpacked.unconsumed_tail:
            raise TooLarge
        if not unpacked.eof:
            raise EOFError
    return body.removeprefix(_BOM)


def of_garbage(received: Received, error: Exception) -> str:
    """Why an answer could not be read. `error` is that of the reading."""
    found = f"HTTP {received.status}"
    if isinstance(error, TooLarge):
        return f"too_large: {found} with more than {MAX_ANSWER // 1024 // 1024} MiB"
    if isinstance(error, zlib.error):
        return f"compressed: {found} with damaged compressed data"
    start = received.body[:4096].lower()
    if received.status == 400 and b"https" in start:
        return "tls_port: the port speaks TLS: the centre's URL must begin with https://"
    if b"<html" in start or b"<!doctype html" in start or received.content_type.lower().startswith("text/html"):
        return f"web_page: {found} with a web page{_titled(received.body)} instead of the centre's answer"
    if isinstance(error, EOFError) or _is_cut(received.body):
        return f"cut_short: {found} whose body ends too early"
    media_type = received.content_type.partition(";")[0].strip()
    if media_type.lower() != "application/json":
        return f"content_type: {found} of type {_printable(media_type, MAX_NAME) or 'unknown'}, not application/json"
    return f"not_protocol: {found} whose JSON is no message of this protocol"


def of_failure(error: Exception) -> str:
    """Why no answer came. The messages of these errors hold addresses and object reprs, so none is quoted."""
    causes = tuple(_causes(error))
    for kind, reason in _REASONS:
        cause = next((cause for cause in causes if isinstance(cause, kind)), None)
        if cause is not None:
            return reason(cause) if callable(reason) else reason
    return f"no_connection: {type(error).__name__}"


def _of_tls(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"):
        return (
            "plain_port: the port speaks no TLS: the centre's URL may have to begin with http://, or the port is wrong"
        )
    return f"tls: the TLS handshake failed ({_printable(reason, MAX_NAME) or 'no reason given'})"


def _of_status_line(error: BaseException) -> str:
    if str(error).startswith(_TLS_ALERT) or "\\x15\\x03" in str(error):
        return "tls_port: the port speaks TLS: the centre's URL must begin with https://"
    return "not_http: the answer is no HTTP"


def _of_system(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
        return "unreachable: the network has no way to the centre"
    return f"no_connection: {errno.errorcode.get(number or 0, type(error).__name__)}"


# The first kind that matches any cause counts.
_REASONS = (
    (CallCancelled, "cancelled: this kiosk has ended the call"),
    (ssl.SSLCertVerificationError, "certificate: the centre's certificate is not trusted"),
    (ssl.SSLError, _of_tls),
    (ConnectionRefusedError, "refused: the centre's port takes no connection: is the service running?"),
    (socket.gaierror, "unknown_name: the centre's name has no address: check the URL and DNS"),
    (urllib3.exceptions.ConnectTimeoutError, "unreachable: the centre's address does not answer"),
    (urllib3.exceptions.ReadTimeoutError, "too_slow: no answer came in time"),
    (TimeoutError, "too_slow: no answer came in time"),
    (http.client.RemoteDisconnected, "closed: the connection ended before an answer"),
    (ConnectionResetError, "reset: the connection was reset"),
    (BrokenPipeError, "reset: the connection was reset"),
    (http.client.BadStatusLine, _of_status_line),
    (urllib3.exceptions.IncompleteRead, "cut_short: the answer ends too early"),
    (urllib3.exceptions.InvalidChunkLength, "cut_short: the answer ends too early"),
    (http.client.IncompleteRead, "cut_short: the answer ends too early"),
    (http.client.HTTPException, "not_http: the answer is no HTTP"),
    (requests.exceptions.InvalidURL, "no_url: the centre's URL cannot be used"),
    (OSError, _of_system),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it wraps, the innermost first."""
    inner = [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
    for cause in inner:
        if isinstance(cause, BaseException):
            yield from _causes(cause)
    yield error


def _is_cut(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    except (ValueError, RecursionError):
        return False
    return False


def _titled(body: bytes) -> str:
    found = re.search(rb"<title[^>]*>(.*?)</title", body[:65536], re.IGNORECASE | re.DOTALL)
    title = _printable(found[1].decode("utf-8", "replace"), MAX_NAME) if found else ""
    return f' titled "{title}"' if title else ""


def _host(location: str) -> str:
    try:
        host = urlsplit(location).hostname
    except ValueError:
        host = None
    return _printable(host, MAX_NAME) if host else "another path"


def _printable(text: str, most: int) -> str:
    """A text of the other end on one line, cut to `most` characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
