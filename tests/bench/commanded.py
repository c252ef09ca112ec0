"""A process of clients that follows commands: a line of words in, a line of JSON out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Commanded:
    """A process that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def ask(self, *words: object) -> Any:
        """Gives a command, and returns its answer. Raises AssertionError where the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*words, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, "the process of the clients has ended"
        return json.loads(line)


@contextmanager
def commanded(module: str, *words: object) -> Iterator[Commanded]:
    """Runs a module with these words while the context is open."""
    command = [sys.executable, "-m", module, *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Commanded(process)
        finally:
            process.kill()
