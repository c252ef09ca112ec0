"""A reader's process as its supervisor sees it: messages out, commands in, and a sure end."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence

from hardware.reader import ReaderSpec
from hardware.wire import MAX_LINE, Command, Message, decode


class ProcessEnded(Exception):
    """The process has ended, or sent a message that cannot be read. `why` is for operators."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ProcessSilent(ProcessEnded):
    """The process has said nothing for too long."""


_GRACE_S = 0.2
_UNREADABLE = "the reader process sent a message that cannot be read"


def command_for(spec: ReaderSpec) -> list[str]:
    """The command that starts this reader's process."""
    forms = ",".join(f"{form.technology}:{form.atr}" for form in spec.admitted)
    arguments = [spec.kind, spec.name or "", spec.path or "", forms, *spec.leave]
    return [sys.executable, "-P", "-m", "hardware.child", *arguments]


class ReaderProcess:
    """One process, started by the constructor. The kernel ends it with the thread that called the constructor.

    Raises OSError or ValueError when the command cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 no part of the command comes from outside
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            process_group=0,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input = self._process.stdin
        self._output = self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._buffer = b""

    def receive(self, timeout_s: float) -> Message | None:
        """The next message; None when none comes in time. Raises ProcessEnded."""
        until = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            if len(self._buffer) > MAX_LINE:
                raise ProcessEnded(_UNREADABLE)
            if not self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
                return None
            if not (chunk := os.read(self._output.fileno(), MAX_LINE)):
                raise ProcessEnded(f"its process ended ({_describe_exit(self._process.wait())})")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        if (message := decode(line)) is None:
            raise ProcessEnded(_UNREADABLE)
        return message

    def send(self, command: Command) -> None:
        """Sends a command to the process. Raises OSError when the process is gone."""
        os.write(self._input.fileno(), command.encode())

    def ask_to_end(self) -> None:
        """Closes the input of the process, which orders a healthy process to end."""
        self._input.close()

    def kill(self) -> None:
        """Kills the process at once. May be called from any thread, and more than once."""
        self._process.kill()

    def close(self) -> None:
        """Ends the process, first by its input and then by force, and closes its pipes.

        A process that hangs in the kernel is left.
        """
        self._input.close()
        if not self._has_ended():
            self.kill()
            self._has_ended()
        self._output.close()

    def _has_ended(self) -> bool:
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return False
        return True


def _describe_exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
