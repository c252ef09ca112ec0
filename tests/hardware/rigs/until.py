"""Waits for conditions."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(true: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Waits until a condition is true. Raises TimeoutError with `what`."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s in vain: {what}")
        time.sleep(0.002)
