"""Accepts connections, and shakes hands over TLS, each within its time. No connection holds up another."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from contextlib import suppress

from sync.central.gateway.connection import Connection
from sync.central.gateway.refusals import FULL, bare_refusal
from sync.central.tls.certificate import ServedCertificate

log = logging.getLogger(__name__)

_TLS = b"\x16"  # the first byte of a handshake (RFC 8446, 5.1)
_NO_TLS = b"This port speaks https only.\n"
_PLAIN_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    + f"Content-Length: {len(_NO_TLS)}\r\n\r\n".encode()
    + _NO_TLS
)
_SHUTDOWN_S = 1.0  # for a peer to end its side of TLS
_PAUSE_S = 0.2  # until the next try, where the process has no file descriptor left


class Accepting:
    """Accepts what comes to a listening socket, which another process may have too."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[socket.socket, str], Connection | None],
        certificate: ServedCertificate | None,
        patience_s: float,
    ) -> None:
        """`protocol` makes the protocol of a new connection, which comes from an address; None refuses it."""
        self._listener = listener
        self._protocol = protocol
        self._certificate = certificate
        self._patience_s = patience_s
        self._beginning: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Accepts until it is cancelled. What was accepted before goes on."""
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)
        while True:
            try:
                plain, peer = self._listener.accept()
            except BlockingIOError:
                # A task that is cancelled here has accepted nothing: the connection is left to who else accepts.
                await _readable(self._listener)
                continue
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    continue  # this peer has left already
                log.warning("no connection can be accepted now: %s", error.strerror)
                await asyncio.sleep(_PAUSE_S)
                continue
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            beginning = loop.create_task(self._begin(plain, peer[0]))
            self._beginning.add(beginning)
            beginning.add_done_callback(self._beginning.discard)
            # The next connection may be there already. Accepting it would let nobody else have a turn.
            await asyncio.sleep(0)

    async def _begin(self, plain: socket.socket, address: str) -> None:
        protocol = self._protocol(plain, address)
        if protocol is None:
            self._refuse(plain)
            return
        try:
            if self._certificate is None:
                await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, plain)
            else:
                await self._begin_tls(plain, protocol, self._certificate)
        except (OSError, TimeoutError):
            protocol.release()
            plain.close()

    async def _begin_tls(self, plain: socket.socket, protocol: Connection, certificate: ServedCertificate) -> None:
        async with asyncio.timeout(self._patience_s):
            if await _first_byte(plain) != _TLS:
                await asyncio.get_running_loop().sock_sendall(plain, _PLAIN_ANSWER)
                raise ConnectionAbortedError
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: protocol,
            plain,
            ssl=certificate.context(),
            ssl_handshake_timeout=self._patience_s,
            ssl_shutdown_timeout=_SHUTDOWN_S,
        )

    def _refuse(self, plain: socket.socket) -> None:
        """Says that the house is full, where that needs no handshake."""
        with plain, suppress(OSError):
            plain.setblocking(False)
            if self._certificate is None:
                plain.send(bare_refusal(FULL))


async def _first_byte(plain: socket.socket) -> bytes:
    """The first byte of a connection, which stays to be read. Raises OSError."""
    await _readable(plain)
    return plain.recv(1, socket.MSG_PEEK)


async def _readable(plain: socket.socket) -> None:
    """Waits until there is something to read, or a connection to accept."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(plain, _tell, readable)
    try:
        await readable
    finally:
        loop.remove_reader(plain)


def _tell(readable: "asyncio.Future[None]") -> None:
    if not readable.done():
        readable.set_result(None)
