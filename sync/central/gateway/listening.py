"""The address that the gateway listens at."""

import socket

# Connections that wait to be accepted, as far as the system allows: after an outage all clients come at once.
_BACKLOG = 4096


class ListenError(OSError):
    """The centre cannot listen on the address. The message says why, for the operator."""


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of HOST:PORT ([HOST]:PORT for IPv6). Raises ListenError."""
    host, separator, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not separator or not bare or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ListenError(f"{address[:200]!r} is not HOST:PORT")
    return bare, int(port)


def listen(address: str) -> socket.socket:
    """A listening socket for HOST:PORT. Raises ListenError."""
    host, port = host_and_port(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"{address}: {error}") from error
