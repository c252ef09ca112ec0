"""Starts the process that takes a document, and hears its result."""

import subprocess
import sys
from collections.abc import Callable
from typing import IO

import msgspec

from sync.central.intake.order import Order, Result

_ENDED = Result("failed", "the process that took it has ended; send the document again to complete it")


def take_in_process(document: IO[bytes], order: Order, every_s: float, alive: Callable[[], None]) -> Result:
    """Takes a document in a process of its own, which ends with this thread. `alive` is called every few seconds."""
    words = [sys.executable, "-m", "sync.central.intake", msgspec.json.encode(order).decode()]
    with subprocess.Popen(words, stdin=document, stdout=subprocess.PIPE) as process:  # noqa: S603
        while True:
            try:
                told, _ = process.communicate(timeout=every_s)
            except subprocess.TimeoutExpired:
                alive()
            else:
                break
    try:
        return msgspec.json.decode(told, type=Result)
    except msgspec.DecodeError:
        return _ENDED
