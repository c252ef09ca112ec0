"""The control socket: how a command on the same machine asks a running daemon to do something for it.

SQLite wants one writer, so commands do not open the database of a running daemon; they ask it. The socket is a Unix
one beside the database (0600). One JSON object a line each way: {"op": …, …} and {"result": …} or {"error": …}.
"""

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

MAX_LINE = 32 * 1024 * 1024  # a whole hospital document
Operation = Callable[[Mapping[str, Any]], object]


class ControlError(Exception):
    """The daemon refused the request; the message says why, for the person at the command line."""


class NotRunning(Exception):
    """Nobody listens at the socket."""


def socket_path(database: Path) -> Path:
    """Where the daemon of this database listens."""
    return database.with_name(database.name + ".sock")


def ask(path: Path, op: str, timeout_s: float = 30.0, **arguments: object) -> Any:
    """Sends one request and returns its result. Raises NotRunning, ControlError, or TimeoutError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            with _reachable(path) as short:
                connection.connect(short)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
            raise NotRunning(str(path)) from error
        connection.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
        line = connection.makefile("rb").readline()
    if not line:
        raise ControlError("the daemon closed the connection without an answer")
    answer = json.loads(line)
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer.get("result")


class ControlServer:
    """Answers requests, each connection in a thread of its own, until stopped."""

    def __init__(self, path: Path, operations: Mapping[str, Operation]) -> None:
        self._path = path
        self._operations = operations
        self._listener: socket.socket | None = None

    def start(self) -> None:
        """Binds the socket (0600; a left-over one is replaced) and serves. Raises OSError where it cannot."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with _reachable(self._path) as short:
                listener.bind(short)
        finally:
            os.umask(before)
        listener.listen(16)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="control", daemon=True).start()

    def stop(self) -> None:
        """Closes the socket and removes its file; answers under way are let go."""
        if self._listener:
            self._path.unlink(missing_ok=True)
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="control request", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream:
            try:
                stream.write(json.dumps(self._answer(stream.readline(MAX_LINE))).encode() + b"\n")
                stream.flush()
            except OSError:
                log.debug("a control client left before its answer")

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            request = json.loads(line)
            operation = self._operations[request.pop("op")]
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": "not a request this daemon knows"}
        try:
            return {"result": operation(request)}
        except ControlError as error:
            return {"error": str(error)}
        except Exception:
            log.exception("a control request failed")
            return {"error": "it failed inside; the daemon's log says why"}


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """A name for the socket that fits into the 108 bytes of a Unix address, however deep its directory lies."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
