"""Addresses and URLs as the configuration spells them."""

import ipaddress
import re
from urllib.parse import urlsplit


class ConfigError(ValueError):
    """The file cannot be used. The message says what to change, for the person who edits it."""


def parse_listen(text: str) -> tuple[str, int]:
    """Returns host and port of "127.0.0.1:8080" or "[::1]:8080". Raises ConfigError."""
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f"expected HOST:PORT, got {text[:80]!r}")
    return bare, int(port)


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def check_central_url(url: str, plain_http: bool, proxy: str = "") -> str:
    """Returns the centre's base URL without a trailing slash. `proxy` is that of [central].

    Raises ConfigError where the text is no such URL, or where the token would cross a network unencrypted.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(_NO_URL) from error
    # A password or a query would end up in logs, and urlsplit lets white space through.
    has_extras = not url.isprintable() or any(character in url for character in " @?#\\")
    if parts.scheme not in {"http", "https"} or not parts.hostname or has_extras:
        raise ConfigError(_NO_URL)
    # A proxy gets a plain request whole, whatever host it is for.
    if parts.scheme == "http" and not plain_http and (proxy or not is_loopback(parts.hostname)):
        raise ConfigError("plain http would send the token in clear: use https, or set [central] plain_http = true")
    return url.rstrip("/")


# The message leaves out the text, which may hold a password.
_NO_URL = "expected a URL of the form https://host[:port], without user, query or white space"


def is_proxy(url: str) -> bool:
    """Whether a text is the URL of a proxy without user and password."""
    try:
        parts = urlsplit(url)
        plain = f"http://{parts.netloc}" == url.rstrip("/") and "@" not in url and url.isprintable() and " " not in url
        return bool(plain and parts.hostname and parts.port)
    except ValueError:
        return False
