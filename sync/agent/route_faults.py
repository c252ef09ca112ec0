"""Why a connection to the centre failed, in a line that names the certificate or the proxy and what to do."""

import http.client
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import urllib3

from sync.agent.route import Route, UnusableFile
from sync.certificate import Certificate, read_certificate

_LOOK_S = 3.05  # for each step of a connection that only asks why
_ALERT_S = 1.0

# What OpenSSL calls a failed check of a certificate (x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED = 9, 10, 18
_WITHOUT_ISSUER = {2, 19, 20, 21}
_OTHER_NAME = {62, 64}

_NO_TLS = "plain_port: the centre's port speaks no TLS: is [central] url right, with https and the port?"
_WITHOUT_OURS = "client_certificate: the centre wants a client certificate: name one in [central] client_cert"
_OURS_REFUSED = "client_certificate: the centre refuses the client certificate of [central] client_cert"
_ABOUT_OURS = (  # the ends of the alerts by which a server refuses a client certificate (RFC 8446, 6.2)
    "CERTIFICATE_REQUIRED",
    "HANDSHAKE_FAILURE",
    "UNKNOWN_CA",
    "BAD_CERTIFICATE",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
    "UNSUPPORTED_CERTIFICATE",
    "ACCESS_DENIED",
)


def describe(error: BaseException, url: str, route: Route) -> str:
    """The reason of a failed call to `url`: a code, a colon and a sentence. It holds no token, no login and no body.

    Empty where neither route nor TLS is the cause.
    Where the centre's certificate was not trusted, or the connection was cut off, this connects once more to learn why.
    Nothing is sent there.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, UnusableFile):
            return f"unusable_file: {cause}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, url, route)
        if isinstance(cause, ssl.SSLError) and (said := _of_tls(cause.reason or "", route)):
            return said
    for cause in causes:
        if isinstance(cause, urllib3.exceptions.ProxyError):
            return _of_proxy(cause, url, route)
    cut_off = any(isinstance(cause, (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError)) for cause in causes)
    if cut_off and url.startswith("https:") and (said := _refusal_after_handshake(url, route)):
        return said
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and each that it wraps: the libraries wrap in four ways."""
    waiting, seen = [error], set()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__)
        waiting += [other for other in inner if isinstance(other, BaseException)]


def _of_tls(reason: str, route: Route) -> str:
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return _NO_TLS
    if "ALERT" in reason and reason.endswith(_ABOUT_OURS):
        return _OURS_REFUSED if route.client_cert else _WITHOUT_OURS
    return ""


def _untrusted(error: ssl.SSLCertVerificationError, url: str, route: Route) -> str:
    host, shown = urlsplit(url).hostname or "", _presented(url, route)
    why = _why(error, host, shown, route)
    if shown is None:
        return f"untrusted: the centre's certificate is not trusted: {why}"
    dates = f"valid {shown.begin:%Y-%m-%d} to {shown.end:%Y-%m-%d}"
    return (
        f"untrusted: the centre's certificate is not trusted: {why}"
        f" ({shown.subject}, issued by {shown.issuer}, {dates}, SHA-256 {shown.sha256})"
    )


def _why(error: ssl.SSLCertVerificationError, host: str, shown: Certificate | None, route: Route) -> str:
    # The day is exact enough, and the log repeats a reason only where it changes.
    clock = f"this machine's clock says {datetime.now(UTC):%Y-%m-%d}"
    if error.verify_code == _NOT_YET_VALID:
        return f"it is not valid yet; {clock}: set the clock if that is wrong"
    if error.verify_code == _EXPIRED:
        return f"it, or one of its issuers, has expired; {clock}: renew the certificate, or set the clock"
    if error.verify_code in _OTHER_NAME:
        names = ", ".join(shown.names) if shown and shown.names else "no host at all"
        return f"it is for {names}, not for {host}: use such a name in [central] url, or another certificate"
    trusted = route.ca_file or "the system's store"
    if error.verify_code == _SELF_SIGNED:
        return (
            f"it is self-signed and not in {trusted}:"
            " compare its SHA-256 with that at the centre, then name its file in [central] ca_file"
        )
    if error.verify_code in _WITHOUT_ISSUER:
        return (
            f"its issuer is not in {trusted}: name the hospital's CA in [central] ca_file,"
            " and have the centre send its intermediate certificates"
        )
    return error.verify_message


def _presented(url: str, route: Route) -> Certificate | None:
    """The certificate at the other end; None where it cannot be had."""
    try:
        context = route.context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with _handshake(url, route, context) as secure:
            der = secure.getpeercert(binary_form=True)
        return read_certificate(der) if der else None
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _refusal_after_handshake(url: str, route: Route) -> str:
    """What the other end says after a handshake without a request; empty where it says nothing.

    In TLS 1.3 it judges a client certificate after this end takes the handshake for complete. A request that meets the
    closed connection loses the alert.
    """
    try:
        with _handshake(url, route, route.context()) as secure:
            secure.settimeout(_ALERT_S)
            secure.recv(1)
    except ssl.SSLError as error:
        return _of_tls(error.reason or "", route)
    except (OSError, http.client.HTTPException):
        pass
    return ""


@contextmanager
def _handshake(url: str, route: Route, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection to the centre, through the proxy where there is one, which ends without a request."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or http.client.HTTPS_PORT
    hop = urlsplit(route.proxy) if route.proxy else None
    first = (hop.hostname or "", hop.port or http.client.HTTP_PORT) if hop else (host, port)
    connection = http.client.HTTPSConnection(*first, timeout=_LOOK_S, context=context)
    try:
        if hop:
            connection.set_tunnel(host, port, route.proxy_headers())
        connection.connect()
        assert isinstance(connection.sock, ssl.SSLSocket)
        yield connection.sock
    finally:
        connection.close()


def _of_proxy(error: urllib3.exceptions.ProxyError, url: str, route: Route) -> str:
    proxy, centre = urlsplit(route.proxy).netloc, urlsplit(url).netloc
    status = re.search(r"Tunnel connection failed: (\d{3})", str(error.original_error))
    if status is None:
        return f"proxy: the proxy {proxy} of [central] proxy cannot be reached"
    if status[1] == "407":
        return f"proxy: the proxy {proxy} wants a user and a password (HTTP 407): see [central] proxy_login_file"
    return f"proxy: the proxy {proxy} does not connect to {centre} (HTTP {status[1]}): have it allowed there"
