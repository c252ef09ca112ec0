"""The route to the centre: whom TLS trusts, what this end shows of itself, and the outbound proxy.

The files are read at each new connection, so a renewed certificate needs no restart.
"""

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path

from sync.key_pair import UnusablePair, der_hint, load_pair


class UnusableFile(OSError):
    """A file that the configuration names cannot be used. The message names the key and the file."""


@dataclass(frozen=True, slots=True)
class Route:
    """The keys of `[central]` that say how a connection is made. Paths are PEM files; empty means without.

    `ca_file` replaces the system's store. `client_key` may be empty where `client_cert` holds the key too. `proxy` is
    http://host:port, and its login file holds user:password.
    """

    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    proxy: str = ""
    proxy_login_file: str = ""

    def context(self) -> ssl.SSLContext:
        """A TLS context from the files as they are now. Raises UnusableFile."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
        # One behaviour for every Python: 3.13 trusts an intermediate, and refuses certificates of many in-house CAs.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.ca_file:
            _trust(context, self.ca_file)
        else:
            context.load_default_certs()
        if self.client_cert:
            _show(context, self.client_cert, self.client_key)
        return context

    def proxy_headers(self) -> dict[str, str]:
        """The header that names this end to the proxy (RFC 7617). Raises UnusableFile."""
        if not self.proxy_login_file:
            return {}
        login = _read("proxy_login_file", self.proxy_login_file).strip()
        if b":" not in login or b"\n" in login:
            raise UnusableFile(f"[central] proxy_login_file: {self.proxy_login_file}: expected one line user:password")
        return {"Proxy-Authorization": "Basic " + base64.b64encode(login).decode()}

    def check(self) -> None:
        """Reads every file once. Raises UnusableFile."""
        self.context()
        self.proxy_headers()


def _trust(context: ssl.SSLContext, file: str) -> None:
    content = _read("ca_file", file)
    try:
        context.load_verify_locations(cafile=file)
    except (ssl.SSLError, OSError) as error:
        raise UnusableFile(f"[central] ca_file: {file}: no certificate in PEM{der_hint(content)}") from error


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        load_pair(context, certificate, key)
    except UnusablePair as error:
        raise UnusableFile(f"[central] {'client_key' if error.of_key else 'client_cert'}: {error}") from error


def _read(key: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UnusableFile(f"[central] {key}: {file}: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise UnusableFile(f"[central] {key}: not the path of a file") from error
