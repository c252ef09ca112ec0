"""The processes of the readers, as the kernel lists them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from hardware.process import command_for
from hardware.reader import ReaderSpec


def processes_of(spec: ReaderSpec, parent: int | None = None) -> list[int]:
    """The processes that drive this reader, started by `parent` (default: this process)."""
    wanted = "\0".join(command_for(spec)).encode() + b"\0"
    found = []
    for thread in Path(f"/proc/{parent or os.getpid()}/task").iterdir():
        # A thread or a process may end during the search.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for pid in (thread / "children").read_text("ascii").split():
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(wanted):
                    found.append(int(pid))
    return found


def is_running(pid: int) -> bool:
    """Whether a process runs. A zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextlib.contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Stops processes for the time of the block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
