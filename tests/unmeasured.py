"""Tests that run the product so often that measuring its coverage costs more than it shows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unmeasured() -> Iterator[None]:
    """Measures no coverage on this thread for the time of the block. The gates count what the other tests cover."""
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)
