"""Tells a request of a program on this machine from one that a proxy has passed on."""

import ipaddress
from collections.abc import Iterable

_ADDED = frozenset({"forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip"})
_FORWARDED = "x-forwarded-"


def is_forwarded(names: Iterable[str]) -> bool:
    """Whether one of the headers of a request, by their names, is one that proxies add."""
    return any(name in _ADDED or name.startswith(_FORWARDED) for name in (each.lower() for each in names))


def is_direct(peer: str, scheme: str, host: str, names: Iterable[str]) -> bool:
    """Whether a request comes from a program on this machine, with no proxy between.

    `peer` is the address of the connection, `host` the header of that name, `names` are those of all headers. A proxy
    that adds no header still shows by the name of the public host, or by the TLS that it passes on. One that names this
    machine as the host, as nginx does unless it is told otherwise, shows by nothing.
    """
    return scheme == "http" and _is_loopback(peer) and _names_this_machine(host) and not is_forwarded(names)


def _names_this_machine(host: str) -> bool:
    """Whether a host, perhaps with a port, is this machine. A page of another site has its own host here."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower() == "localhost" or _is_loopback(name)


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
