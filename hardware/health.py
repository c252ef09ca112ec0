"""What a reader is worth, from what its process says and from how often it had to be replaced."""

from dataclasses import dataclass

from hardware.reader import ReaderState
from hardware.wire import State


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a reader may be silent, and how it is judged afterwards. Seconds, but for the count."""

    idle_s: float = 15.0
    busy_s: float = 3.0
    failures_to_faulty: int = 3
    forgiven_after_s: float = 60.0
    first_wait_s: float = 0.1
    most_wait_s: float = 10.0


class Health:
    """Starts as a reader whose process has not said anything. Times are seconds on one monotonic clock."""

    def __init__(self, patience: Timeouts) -> None:
        self._patience = patience
        self._told = State(ReaderState.STARTING, "")
        self._failures = 0
        self._failed_at_s = 0.0
        self._why = ""

    @property
    def keeps_failing(self) -> bool:
        """Whether the next process should wait: the one before it failed too."""
        return self._failures > 1

    def told(self, state: State) -> None:
        """Its process says how the device is."""
        self._told = state

    def read_a_card(self) -> None:
        """It works, whatever was before."""
        self._failures = 0

    def failed(self, why: str, now_s: float) -> None:
        """Its process ended or had to be ended; the next one has not said anything yet."""
        self._forgive(now_s)
        self._failures += 1
        self._failed_at_s = now_s
        self._why = why
        self._told = State(ReaderState.STARTING, "")

    def judged(self, now_s: float) -> State:
        """How the reader is: as its process says, unless that was replaced too often of late."""
        self._forgive(now_s)
        if self._failures < self._patience.failures_to_faulty:
            return self._told
        return State(ReaderState.FAULTY, f"{self._why}, {self._failures} times in a row")

    def _forgive(self, now_s: float) -> None:
        if now_s - self._failed_at_s >= self._patience.forgiven_after_s:
            self._failures = 0
