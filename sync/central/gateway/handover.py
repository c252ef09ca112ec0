"""The listening socket passes from a service to its successor on the same machine, so no connection is refused.

A service listens at a Unix socket in its state directory. Its successor connects, says which state of which database
it serves, and gets the listening socket (SCM_RIGHTS, unix(7)). Both accept connections then. The successor says when
it answers calls, and the first one drains. A successor that ends before that has changed nothing.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sync import unix_socket

log = logging.getLogger(__name__)

_GIVEN, _OTHER_DATABASE, _SERVES = b"+", b"-", b"."
_MAX_LINE = 256  # bytes
_PATIENCE_S = 10.0  # for a successor to say what it serves
_PAUSE_S = 1.0  # where the process has no file descriptor left


class NotGiven(OSError):
    """The running service does not give its listening socket away. The message says why, for the operator."""


def handover_path(state: Path) -> Path:
    """The path of the socket of a service, by the path that its files of state are named after."""
    return state.with_name(state.name + ".handover")


@dataclass(frozen=True, slots=True)
class Predecessor:
    """A running service, and its listening socket, which is this one's too."""

    listener: socket.socket
    _connection: socket.socket

    def tell(self) -> None:
        """Lets it drain: this service answers calls. Without effect where it has ended already."""
        with self._connection, suppress(OSError):
            self._connection.sendall(_SERVES)


def find_predecessor(path: Path, incarnation: str) -> Predecessor | None:
    """Asks the service at a path for its listening socket; None where no service listens there. Raises NotGiven.

    `incarnation` is the state of the database that this service serves.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        unix_socket.connect(connection, path)
        connection.settimeout(_PATIENCE_S)
        connection.sendall(incarnation.encode() + b"\n")
        said, files, _, _ = socket.recv_fds(connection, 1, 1)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise NotGiven(f"{path}: {error.strerror or error}") from error
    if said == _GIVEN and files:
        listener = socket.socket(fileno=files[0])
        listener.set_inheritable(False)  # a received file is inherited by default, and no worker accepts connections
        return Predecessor(listener, connection)
    connection.close()
    raise NotGiven(_OF_ANOTHER if said == _OTHER_DATABASE else f"{path}: the service there gave no answer")


class Handover:
    """Gives the listening socket of this service to a successor, once one asks for it."""

    def __init__(self, path: Path, incarnation: str, listener: socket.socket, drain: Callable[[], None]) -> None:
        """`drain` is called when a successor serves. Raises OSError where the socket cannot be made."""
        self._path = path
        self._incarnation = incarnation
        self._given = listener
        self._drain = drain
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        try:
            unix_socket.bind(self._listener, path)
        except BaseException:
            self._listener.close()
            raise

    async def run(self) -> None:
        """Waits for successors, one at a time, until one serves."""
        loop = asyncio.get_running_loop()
        while not await self._serve_one(loop):
            pass
        log.info("another service has taken the port over")
        self._drain()

    def close(self) -> None:
        """Ends the socket."""
        self._path.unlink(missing_ok=True)
        self._listener.close()

    async def _serve_one(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the successor that comes next serves."""
        try:
            connection, _ = await loop.sock_accept(self._listener)
        except OSError as error:
            log.warning("no successor can ask for the port now: %s", error.strerror)
            await asyncio.sleep(_PAUSE_S)
            return False
        with connection, suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                asked = await _line(loop, connection)
            if asked != self._incarnation:
                await loop.sock_sendall(connection, _OTHER_DATABASE)
                return False
            socket.send_fds(connection, [_GIVEN], [self._given.fileno()])
            return await loop.sock_recv(connection, 1) == _SERVES
        return False


async def _line(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> str:
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < _MAX_LINE:
        if not (chunk := await loop.sock_recv(connection, _MAX_LINE - len(line))):
            break
        line += chunk
    return line.decode("utf-8", "replace").removesuffix("\n")


_OF_ANOTHER = (
    "the running service serves another database, or this one in a state before a restore: a service that takes its"
    " port over has the same --database"
)
