"""The state of a reader, from what its process reports and from how often the process had to be replaced."""

from dataclasses import dataclass

from hardware.reader import ReaderState
from hardware.wire import State


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a reader's process may be silent, and how failures count.

    `failures_to_faulty` is a count; the others are seconds.
    """

    idle_s: float = 15.0
    driver_call_s: float = 3.0
    failures_to_faulty: int = 3
    forgiven_after_s: float = 60.0
    first_wait_s: float = 0.1
    most_wait_s: float = 10.0


class Health:
    """The health of one reader. It begins with nothing reported. Times are seconds on one monotonic clock."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._reported = State(ReaderState.STARTING, "")
        self._failures = 0
        self._failed_at_s = 0.0
        self._why = ""

    @property
    def keeps_failing(self) -> bool:
        """Whether the next process should wait: the one before it failed too."""
        return self._failures > 1

    def reported(self, state: State) -> None:
        """Notes the device state that the process reports."""
        self._reported = state

    def card_read(self) -> None:
        """Notes that a card was read. The reader works, so earlier failures no longer count."""
        self._failures = 0

    def failed(self, why: str, now_s: float) -> None:
        """Notes that the process ended or was killed. The next process has reported nothing yet."""
        self._forgive(now_s)
        self._failures += 1
        self._failed_at_s = now_s
        self._why = why
        self._reported = State(ReaderState.STARTING, "")

    def state_at(self, now_s: float) -> State:
        """The state that the process reports; faulty when the process was replaced too often lately."""
        self._forgive(now_s)
        if self._failures < self._timeouts.failures_to_faulty:
            return self._reported
        return State(ReaderState.FAULTY, f"{self._why}, {self._failures} times in a row")

    def _forgive(self, now_s: float) -> None:
        if now_s - self._failed_at_s >= self._timeouts.forgiven_after_s:
            self._failures = 0
