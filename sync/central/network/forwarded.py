"""The client behind a proxy. Only proxies that the operator named are believed.

A proxy adds the address that it saw to the end of `X-Forwarded-For`. All before that may be the client's invention. So
the client is the rightmost address that is no trusted proxy. `Forwarded` (RFC 7239) is not read. A proxy that writes
one of the two headers passes the other on as the client wrote it, so reading both would believe the client.
"""

import ipaddress
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

FORWARDED_PROTO = "HTTP_X_FORWARDED_PROTO"
_FOR, _HOST = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST"
_NAME = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:([0-9]{1,5}))?")
_PORTS = {"http": "80", "https": "443"}
_MOST_WARNED = 16  # peers; anybody may send the header

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def behind_proxies(application: WSGIApplication, trusted: Sequence[str]) -> WSGIApplication:
    """An application whose requests bear address, scheme and host of the client. `trusted` are networks."""
    networks = [ipaddress.ip_network(network) for network in trusted]
    warned: set[str] = set()

    def is_trusted(address: Address) -> bool:
        return any(address in network for network in networks)

    def with_client(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        peer = read_address(environ.get("REMOTE_ADDR", "")) if networks else None
        if peer is not None and is_trusted(peer):
            environ["REMOTE_ADDR"] = str(client_of(peer, environ.get(_FOR, ""), is_trusted))
            environ.pop("REMOTE_PORT", None)
            _believe_scheme_and_host(environ)
        elif _FOR in environ:
            _warn(environ.get("REMOTE_ADDR", ""), warned)
        return application(environ, start_response)

    return with_client


def client_of(peer: Address, chain: str, is_trusted: Callable[[Address], bool]) -> Address:
    """The client's address. `chain` is the content of `X-Forwarded-For`.

    An entry that is no address, such as `unix:` or `unknown`, ends the search: what stands before it proves nothing.
    """
    client = peer
    for entry in reversed(chain.split(",")):
        if not is_trusted(client) or (address := read_address(entry.strip())) is None:
            break
        client = address
    return client


@lru_cache(maxsize=1024)  # clients ask again and again
def read_address(text: str) -> Address | None:
    """An IP address, which may have a port. An IPv4 address within IPv6 is an IPv4 address."""
    bare = text
    if text.startswith("["):
        bare = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        bare = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or (None if address.scope_id else address)
    return address


def last_entry(header: str) -> str:
    """The entry of a list of `X-Forwarded-*` that the nearest proxy wrote."""
    return header.rpartition(",")[2].strip()


def _believe_scheme_and_host(environ: WSGIEnvironment) -> None:
    """Takes scheme and host from the last entry, which the nearest proxy wrote. Any other form does not count."""
    scheme = last_entry(environ.get(FORWARDED_PROTO, "")).lower()
    if scheme in _PORTS:
        environ["wsgi.url_scheme"] = scheme
    named = _NAME.fullmatch(last_entry(environ.get(_HOST, "")))
    if named:
        environ["HTTP_HOST"] = named[0]
    if named or scheme in _PORTS:
        port = _NAME.fullmatch(environ.get("HTTP_HOST", ""))
        environ["SERVER_PORT"] = (port and port[3]) or _PORTS[environ["wsgi.url_scheme"]]


def _warn(peer: str, warned: set[str]) -> None:
    if peer not in warned and len(warned) < _MOST_WARNED:
        warned.add(peer)
        log.warning(
            "a request came through a proxy at %s, which --trusted-proxy does not name: in the audit and the lock-out"
            " after wrong enrolment codes, all its clients are one address",
            peer,
        )
