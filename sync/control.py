"""The control socket: how a command asks a running daemon on the same machine for an operation.

SQLite wants one writer, so a command does not open the database of a running daemon: it asks the daemon. The socket is
a Unix socket beside the database (0600). A daemon may have another socket for other users, with fewer operations. A
request and its answer are one line of JSON each: {"op": …, …}, and {"result": …} or {"error": …}.
"""

import json
import logging
import select
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync import unix_socket
from sync.logs import INTERNAL

log = logging.getLogger(__name__)

MAX_LINE = 32 * 1024 * 1024  # bytes: a whole hospital document
CHUNK = 64 * 1024
RETRY_S = 0.2  # until the next try to accept, where the process has no file descriptor left
Operation = Callable[[Mapping[str, Any]], object]


class ControlError(Exception):
    """The daemon refused the request. The message says why, for the person at the command line."""


class Unanswered(ControlError):
    """The daemon got the request and gave no answer to it. It may have carried the request out."""


class NotPermitted(ControlError):
    """This user may not use the socket."""


class NotRunning(Exception):
    """No daemon listens at the socket."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a socket, and how much of the daemon they can take up.

    `mode` are the rights of the socket's file. At most `clients` are served at a time; the others wait. A request has
    at most `max_line` bytes and is whole within `request_s` seconds. Its answer is read in the same time. While others
    wait, a request that is not whole after `slow_s` seconds is ended.
    """

    mode: int = 0o600
    clients: int = 16
    max_line: int = MAX_LINE
    request_s: float = 10.0
    slow_s: float = 0.5


def socket_path(database: Path) -> Path:
    """The path of the socket at which the daemon of this database listens."""
    return database.with_name(database.name + ".sock")


def ask(path: Path, op: str, timeout_s: float = 30.0, **arguments: object) -> Any:
    """Sends one request to the daemon and returns its result.

    Raises NotRunning, ControlError (Unanswered among them) or TimeoutError.
    """
    request = json.dumps({"op": op, **arguments}).encode() + b"\n"
    if len(request) > MAX_LINE:
        raise ControlError("the request is too long")
    try:
        answer = json.loads(_exchange(path, request, timeout_s))
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unanswered("the daemon gave no answer that can be read")
    if "error" in answer:
        raise ControlError(str(answer["error"]))
    return answer.get("result")


OWNER_ONLY = Access()


class ControlServer:
    """Answers requests until `stop`, each connection in a thread of its own."""

    def __init__(
        self, path: Path, operations: Callable[[int], Mapping[str, Operation]], access: Access = OWNER_ONLY
    ) -> None:
        """`operations` gives the operations by name, for the user id of the client. An operation gets the request's
        arguments and returns JSON values; it raises ControlError to refuse."""
        self._path = path
        self._operations = operations
        self._access = access
        self._places = threading.Semaphore(access.clients)
        self._lock = threading.Lock()
        self._reading: dict[socket.socket, float] = {}  # since when (monotonic), oldest first
        self._listener: socket.socket | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Binds the socket and serves. Replaces a socket that an earlier run has left, and no other file.

        Raises OSError, which names the file.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            unix_socket.bind(listener, self._path, self._access.mode)
        except OSError as error:
            listener.close()
            raise OSError(error.errno, error.strerror or str(error), str(self._path)) from error
        self._listener = listener
        waiting = select.poll()
        waiting.register(listener, select.POLLIN)
        threading.Thread(target=self._accept, args=(listener, waiting), name="control", daemon=True).start()

    def stop(self) -> None:
        """Closes the socket and removes its file. Does not wait for operations under way."""
        self._stopped.set()
        if self._listener:
            self._path.unlink(missing_ok=True)
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
            self._places.release()  # wakes the accepting thread where it waits for a place

    def _accept(self, listener: socket.socket, waiting: select.poll) -> None:
        while True:
            # A place before a connection: clients without one wait in the kernel, and hold no thread here.
            while not self._places.acquire(timeout=RETRY_S):
                if any(events & select.POLLIN for _, events in waiting.poll(0)):
                    self._end_slowest()
            if self._stopped.is_set():
                return
            try:
                connection, _ = listener.accept()
            except OSError as error:
                self._places.release()
                # The server was stopped, or the process has no file descriptor left for now.
                if not self._stopped.is_set():
                    log.warning("the control socket accepts no request: %s", error.strerror)
                self._stopped.wait(RETRY_S)
                continue
            threading.Thread(target=self._serve, args=(connection,), name="control request", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                line = self._read(connection)
                answer = self._answer(line, self._operations(unix_socket.user_of(connection)))
                connection.settimeout(self._access.request_s)
                connection.sendall(answer + b"\n")
        except OSError:
            log.debug("a control client left before its answer")
        finally:
            self._places.release()

    def _read(self, connection: socket.socket) -> bytes:
        with self._lock:
            self._reading[connection] = time.monotonic()
        try:
            return _read_line(connection, self._access.max_line, self._access.request_s)
        finally:
            with self._lock:
                self._reading.pop(connection, None)

    def _end_slowest(self) -> None:
        """Ends the oldest request that is not whole after `slow_s` seconds. Its sender has sent little, or nothing."""
        with self._lock:
            oldest = next(iter(self._reading), None)
            if oldest and self._reading[oldest] + self._access.slow_s <= time.monotonic():
                del self._reading[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)

    def _answer(self, line: bytes, operations: Mapping[str, Operation]) -> bytes:
        try:
            request = json.loads(line)
            operation = operations[request.pop("op")]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return _error("the daemon does not know this request")
        try:
            return json.dumps({"result": operation(request)}).encode()
        except ControlError as error:
            return _error(str(error))
        except sqlite3.Error as error:
            # For example a full disk. The message names tables at most.
            log.error("a control request met a failing database: %s", error)  # noqa: TRY400
            return _error(f"the database: {error}")
        except Exception:
            log.exception("a control request failed")
            return _error(f"{INTERNAL}; the daemon's log says why")


def _exchange(path: Path, request: bytes, timeout_s: float) -> bytes:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            unix_socket.connect(connection, path)
            connection.sendall(request)
            with connection.makefile("rb") as stream:
                return stream.readline()
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise NotRunning(str(path)) from error
    except TimeoutError:
        raise
    except (ConnectionResetError, BrokenPipeError) as error:
        raise Unanswered("the daemon ended before it answered") from error
    except PermissionError as error:
        raise NotPermitted(f"{path}: only the daemon's own user and root may ask it") from error
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror or error}") from error


def _error(message: str) -> bytes:
    return json.dumps({"error": message}).encode()


def _read_line(connection: socket.socket, most: int, seconds: float) -> bytes:
    """The first line of a connection, cut off after `most` bytes. Raises TimeoutError where it takes longer."""
    end = time.monotonic() + seconds
    line = bytearray()
    while len(line) < most:
        # The time is for the whole line: a client that sends byte by byte gets no more of it.
        connection.settimeout(max(end - time.monotonic(), 0.001))
        chunk, newline, _ = connection.recv(min(CHUNK, most - len(line))).partition(b"\n")
        line += chunk
        if newline or not chunk:
            break
    return bytes(line)
