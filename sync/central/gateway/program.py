"""Starts a worker, and hears whether it can serve. None of this needs the web server, which loads meanwhile."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from sync.central.frames import NotOpened, Opened, decode_for_gateway, read_document

GRACE_S = 4.0  # for a worker to end in order


class NotStarted(OSError):
    """The worker cannot serve. The message says why, for the operator."""


class Program(Protocol):
    """What runs at the other end of the link."""

    def start(self, link: socket.socket) -> "Running":
        """Begins, with the other end of the link. Raises OSError."""


class Running(Protocol):
    """A worker that was started."""

    def wait(self, seconds: float) -> None:
        """Waits for its end, and ends it by force after that time."""


@dataclass(frozen=True, slots=True)
class Command:
    """A worker in a process of its own.

    `words` is the command; the number of the link's file is added to it. It reads `given` from its standard input.
    """

    words: Sequence[str]
    given: bytes = b""

    def start(self, link: socket.socket) -> Running:
        """Starts the process. Raises OSError."""
        process = subprocess.Popen(  # noqa: S603
            [*self.words, str(link.fileno())], pass_fds=(link.fileno(),), stdin=subprocess.PIPE
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(self.given)
        return _Process(process)


class _Process:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def wait(self, seconds: float) -> None:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True, slots=True)
class Started:
    """A worker that was started, and this end of its link."""

    link: socket.socket
    running: Running

    def hear(self) -> Opened:
        """Waits until the worker has its database open. Raises NotStarted."""
        document = read_document(self.link)
        said = decode_for_gateway(document) if document else None
        if not isinstance(said, Opened):
            raise NotStarted(said.reason if isinstance(said, NotOpened) else "the service did not start")
        return said


def start(program: Program) -> Started:
    """Starts a worker. Raises OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        return Started(ours, program.start(theirs))


@contextmanager
def started(program: Program) -> Iterator[Started]:
    """A worker that has ended when the context is left. Raises OSError."""
    worker = start(program)
    try:
        yield worker
    finally:
        worker.link.close()
        worker.running.wait(GRACE_S)
