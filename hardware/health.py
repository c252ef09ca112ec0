"""The state of a reader, from what its process reports and from how often the process had to be replaced."""

from dataclasses import dataclass

from hardware.reader import ReaderState
from hardware.wire import State


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a reader's process may be silent, and how failures count. Names that end in `_s` are seconds.

    A process has `start_s` for its first message and to open its device, `idle_s` between two other messages, and
    `driver_call_s` in a call of the driver. Trouble is shown when it has lasted `trouble_s`. A process that was ready
    and failed is a relapse. So many relapses with less than `forgiven_after_s` in between are a faulty reader, even
    while a new process is ready. So many unreadable cards in a row are a degraded one.
    """

    start_s: float = 15.0
    idle_s: float = 4.0
    driver_call_s: float = 2.5  # with `trouble_s`: pcscd that hangs in the middle of a card is known within 5 s
    trouble_s: float = 2.0
    relapses_to_faulty: int = 3
    forgiven_after_s: float = 10.0
    unreadable_to_degraded: int = 5
    first_wait_s: float = 0.1
    most_wait_s: float = 3.0


_STARTING = State(ReaderState.STARTING, "")


class Health:
    """The health of one reader. It begins with nothing reported. Times are seconds on one monotonic clock.

    Trouble ends at once when the process reports that the device answers.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._good = _STARTING
        self._trouble: State | None = None
        self._trouble_since_s = 0.0
        self._is_ready = False
        self._failures = 0
        self._relapses = 0
        self._failed_at_s = 0.0
        self._why = ""
        self._unreadable: dict[str, int] = {}
        self._in_use: dict[str, str] = {}

    @property
    def keeps_failing(self) -> bool:
        """Whether the next process should wait: the one before it failed too."""
        return self._failures > 1

    def reported(self, state: State, now_s: float) -> None:
        """Notes the device state that the process reports."""
        self._is_ready = state.state is ReaderState.READY
        if self._is_ready:
            self._good, self._trouble = state, None
        else:
            self._begin_trouble(state, now_s)

    def card_read(self, reader: str) -> None:
        """Notes that a card was read. The reader works, so earlier failures no longer count."""
        self._failures = self._relapses = 0
        self._unreadable.pop(reader, None)
        self._in_use.pop(reader, None)

    def card_unreadable(self, reader: str) -> None:
        """Notes that a card could not be read. That is the card's fault, until it happens many times in a row."""
        self._unreadable[reader] = self._unreadable.get(reader, 0) + 1

    def card_in_use(self, reader: str, why: str) -> None:
        """Notes that another program held the card. The reader is degraded until it reads one."""
        self._in_use[reader] = why

    def failed(self, why: str, since_s: float, now_s: float) -> None:
        """Notes that the process ended or was killed without a card, and that nothing was heard from it since then."""
        self._forgive(now_s)
        self._failures += 1
        self._relapses += self._is_ready
        self._failed_at_s = now_s
        self._good = _STARTING
        self._why = why if self._failures == 1 else f"{why}, {self._failures} times in a row"
        self._is_ready = False
        self._begin_trouble(State(ReaderState.FAULTY, self._why), since_s)

    def failed_at_a_card(self, why: str, now_s: float) -> None:
        """Notes that the process ended or was killed while it spoke with a card. Only a slow return is trouble."""
        self._good = _STARTING
        self._is_ready = False
        self._begin_trouble(State(ReaderState.FAULTY, why), now_s)

    def state_at(self, now_s: float) -> State:
        """The state to show."""
        self._forgive(now_s)
        if self._relapses >= self._timeouts.relapses_to_faulty:
            return State(ReaderState.FAULTY, self._why)
        if self._trouble and now_s - self._trouble_since_s >= self._timeouts.trouble_s:
            return self._trouble
        if self._good.state is ReaderState.READY and (degraded := self._degraded()):
            return State(ReaderState.DEGRADED, degraded)
        return self._good

    def due_s(self, now_s: float) -> float | None:
        """When the state changes although nothing is reported; None when it does not."""
        dues = []
        if self._trouble:
            dues.append(self._trouble_since_s + self._timeouts.trouble_s)
        if self._failures:
            dues.append(self._failed_at_s + self._timeouts.forgiven_after_s)
        return min((due for due in dues if due > now_s), default=None)

    def _degraded(self) -> str:
        most = self._timeouts.unreadable_to_degraded
        runs = [
            f"the last {count} cards could not be read at {name}"
            for name, count in self._unreadable.items()
            if count >= most
        ]
        return "; ".join([*runs, *[self._in_use[name] for name in sorted(self._in_use)]])

    def _begin_trouble(self, state: State, since_s: float) -> None:
        if self._trouble is None:
            self._trouble_since_s = since_s
        self._trouble = state

    def _forgive(self, now_s: float) -> None:
        if now_s - self._failed_at_s >= self._timeouts.forgiven_after_s:
            self._failures = self._relapses = 0
