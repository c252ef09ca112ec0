"""Unix sockets with a file in a directory of ours, by which processes of one machine meet."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWNER_ONLY = 0o600
_BACKLOG = 16
_CREDENTIALS = struct.Struct("3i")  # process, user and group


def bind(listener: socket.socket, path: Path, mode: int = OWNER_ONLY) -> None:
    """Listens at a path, whose file gets the rights `mode`. Replaces a socket that an earlier run has left, and no
    other file. Raises OSError."""
    if path.is_socket():
        path.unlink()
    umask = os.umask(0o177)
    try:
        with _short_name(path) as name:
            listener.bind(name)
            # Wider rights come by chmod. A wider umask would count for the files of other threads too.
            Path(name).chmod(mode)
    finally:
        os.umask(umask)
    listener.listen(_BACKLOG)


def connect(connection: socket.socket, path: Path) -> None:
    """Connects to the process that listens at a path. Raises OSError."""
    with _short_name(path) as name:
        connection.connect(name)


def user_of(connection: socket.socket) -> int:
    """The user id of the process at the other end, as the kernel knows it (unix(7), SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[1])


@contextmanager
def _short_name(path: Path) -> Iterator[str]:
    """A name of the socket that fits into the 108 bytes of a Unix address, however deep its directory is."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
