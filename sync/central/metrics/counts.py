"""What a worker has counted, until the gateway has it.

A count crosses the link with the answer that it belongs to, or before it. So a worker that is killed takes none with it
that its clients have heard of, and the sums at the gateway never go back.
"""

from collections import deque
from contextlib import suppress
from enum import StrEnum

import msgspec

_MOST = 65_536  # where no gateway takes them, as in a command that works without the service


class Measure(StrEnum):
    """What workers count, by the names of the metrics."""

    ACTIONS = "nfc_centre_actions"
    VERDICTS = "nfc_centre_verdicts"


class Count(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One thing that happened: its measure, the values of its labels in their order, and how long it took (s).

    `seconds` is None where that is not measured.
    """

    measure: Measure
    labels: tuple[str, ...]
    seconds: float | None


class Counts:
    """The counts that wait. Safe from any thread."""

    def __init__(self) -> None:
        self._waiting: deque[Count] = deque(maxlen=_MOST)  # its two ends may be used from any thread

    def add(self, measure: Measure, *labels: str, seconds: float | None = None) -> None:
        """Counts one thing. Labels come from closed sets alone."""
        self._waiting.append(Count(measure, labels, seconds))

    def take(self) -> list[Count]:
        """Removes and returns all that wait."""
        waiting, taken = self._waiting, []
        with suppress(IndexError):
            while waiting:
                taken.append(waiting.popleft())
        return taken
