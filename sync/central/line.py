"""The way of a command to a centre: to the service that has the database open, or to the database itself."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sync.central.store.errors import InUse
from sync.control import NotRunning, Operation, Unanswered, ask

PATIENCE_S = 5.0
_ANSWER_WITHIN_S = 600.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenedHere:
    """A database that this process has opened: its operations, and its end."""

    operations: Mapping[str, Operation]
    close: Callable[[], None]


class _Line:
    """The first operation decides. A database that it opens stays open, and closed to a service, until `close`."""

    def __init__(self, socket: Path, open_here: Callable[[], OpenedHere]) -> None:
        self._socket = socket
        self._open_here = open_here
        self._service_answered = False
        self._here: OpenedHere | None = None

    def __call__(self, op: str, /, **arguments: object) -> Any:
        """Runs an operation. Raises ControlError or StoreError."""
        if self._here is None:
            try:
                return self._ask(op, arguments)
            except NotRunning as error:
                if self._service_answered:
                    raise Unanswered("the service has ended") from error
            self._here = self._open_here()
        return self._here.operations[op](arguments)

    def close(self) -> None:
        """Closes the database, where the line has opened it."""
        if self._here is not None:
            self._here.close()

    def _ask(self, op: str, arguments: Mapping[str, object]) -> Any:
        answer = ask(self._socket, op, _ANSWER_WITHIN_S, **arguments)
        self._service_answered = True
        return answer


@contextmanager
def line_to(socket: Path, open_here: Callable[[], OpenedHere]) -> Iterator[Callable[..., Any]]:
    """A line to a centre, for several operations after one another. They raise ControlError or StoreError.

    `socket` is the place of the service's control socket.
    """
    line = _Line(socket, open_here)
    try:
        # Where another process holds the database and does not answer, it starts or stops.
        yield lambda op, /, **arguments: patiently(lambda: line(op, **arguments), PATIENCE_S)
    finally:
        line.close()


def patiently(attempt: Callable[[], T], patience_s: float) -> T:
    """Tries again while another process holds the database: a command, or a service that starts or stops."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return attempt()
        except InUse:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
