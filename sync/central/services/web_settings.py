"""Checks the web settings that an operator typed, and brings them into the form that requests are compared with."""

import dataclasses
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from sync.central.network.web_settings import WebSettings

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])?(:[0-9]{1,5})?")
_WEB = ("http", "https")


class WebSettingsError(ValueError):
    """A value cannot be used. The message says what is expected."""


def proxy_network(text: str) -> str:
    """An address or a network (ADDR/NET) of proxies. Raises WebSettingsError."""
    try:
        network = ipaddress.ip_network(text.replace("%", " "))  # no names of network cards: they differ by machine
    except ValueError as error:
        raise WebSettingsError(
            f"{text[:80]!r} is no IP address and no network{_meant(text)}, such as 10.1.2.3 or 10.1.2.0/24"
        ) from error
    if network.prefixlen == 0:
        raise WebSettingsError(f"{text} is every address: anybody could claim to be anybody")
    return str(network)


def public_url(text: str) -> str:
    """The URL under which apps reach the centre, without a trailing slash. Empty for none. Raises WebSettingsError."""
    if not text:
        return ""
    bare = text.rstrip("/").lower()
    if not bare.startswith(tuple(f"{scheme}://" for scheme in _WEB)) or not _ORIGIN.fullmatch(bare):
        raise WebSettingsError(f"{text[:80]!r} is no URL of the form https://host[:port], without a path")
    return origin(bare)


def origin(text: str) -> str:
    """An origin as browsers send it (RFC 6454, 6.2). Raises WebSettingsError."""
    bare = text.lower()
    if bare == "null":
        return bare
    if bare == "*":
        raise WebSettingsError("* is every page of the web: name the origins of the apps, one by one")
    if not _ORIGIN.fullmatch(bare):
        raise WebSettingsError(
            f"{text[:80]!r} is no origin, such as https://app.example:8443 or capacitor://localhost:"
            " scheme, host and port, and no slash after them"
        )
    scheme, _, place = bare.partition("://")
    if scheme not in _WEB:
        return bare
    try:
        parts = urlsplit(bare)
        port = parts.port
    except ValueError as error:
        raise WebSettingsError(f"{text[:80]!r}: no such port") from error
    if not parts.hostname:
        raise WebSettingsError(f"{text[:80]!r} names no host")
    return f"{scheme}://{place.removesuffix(f':{port}')}" if port == _DEFAULT_PORTS[scheme] else bare


def changed(settings: WebSettings, wanted: Mapping[str, object]) -> WebSettings:
    """The settings with the wanted values instead. An empty text empties a list. Raises WebSettingsError."""
    read: dict[str, Any] = {name: _READ[name](value) for name, value in wanted.items()}
    return dataclasses.replace(settings, **read)


def chosen(options: WebSettings, stored: WebSettings) -> WebSettings:
    """The settings that count: each option of the command line that was given, and else what is stored."""
    return WebSettings(
        options.public_url or stored.public_url,
        _given(options.trusted_proxies, stored.trusted_proxies),
        _given(options.allowed_origins, stored.allowed_origins),
    )


def _meant(text: str) -> str:
    """The network that an address with too many bits lies in, in words; empty for any other text."""
    try:
        return f" (its network is {ipaddress.ip_network(text, strict=False)})" if "/" in text else ""
    except ValueError:
        return ""


def _given(option: tuple[str, ...], stored: tuple[str, ...]) -> tuple[str, ...]:
    """An empty text is an option too: it stands for none."""
    return tuple(filter(None, option)) if option else stored


def _each(read: Callable[[str], str]) -> Callable[[object], tuple[str, ...]]:
    def read_all(values: object) -> tuple[str, ...]:
        assert isinstance(values, Iterable)
        return tuple(dict.fromkeys(read(str(value)) for value in values if value))

    return read_all


_READ: Mapping[str, Callable[[object], object]] = {
    "public_url": lambda value: public_url(str(value)),
    "trusted_proxies": _each(proxy_network),
    "allowed_origins": _each(origin),
}
SETTINGS = tuple(_READ)
