"""A loop: one step, and how long to wait after it."""

import random
import threading
from collections.abc import Callable

from sync.agent.backoff import CAP_S, full_jitter, most_failures
from sync.agent.steps import StepResult


class Driver:
    """Repeats a step in its own thread: at once while there is more to do, after the backoff where the step failed,
    else after `idle_s` or a call of `wake`. The step catches its own errors."""

    def __init__(
        self,
        name: str,
        step: Callable[[], StepResult],
        idle_s: float,
        chance: random.Random,
        longest_backoff_s: Callable[[], float] = lambda: CAP_S,
        gather_s: float = 0.0,
    ) -> None:
        """`longest_backoff_s` says how long the next backoff may be at most. A step that `wake` asks for begins
        `gather_s` later."""
        self._step = step
        self._idle_s = idle_s
        self._chance = chance
        self._longest_backoff_s = longest_backoff_s
        self._gather_s = gather_s
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._retry = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Ends an idle wait, because there is something to do. A backoff goes on."""
        self._wake.set()

    def end_backoff(self) -> None:
        """Ends a backoff, because the centre answers again."""
        self._retry.set()

    def stop(self) -> None:
        """Tells the thread to end; `join` waits for it."""
        self._stop.set()
        self._wake.set()
        self._retry.set()

    def join(self, timeout_s: float) -> None:
        """Waits for the end of the thread, at most `timeout_s`."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._wake.clear()
            self._retry.clear()
            result = self._step()
            failures = min(failures + 1, most_failures(self._longest_backoff_s())) if result.failed else 0
            if not self._stop.is_set():
                self._wait_after(result, failures)

    def _wait_after(self, result: StepResult, failures: int) -> None:
        # Nothing shortens a wait that the centre asked for; a backoff of this end ends when the centre answers again.
        wait_s = pause_s(result, failures, self._idle_s, self._chance, self._longest_backoff_s())
        if result.retry_after_s:
            self._stop.wait(wait_s)
        elif result.failed:
            self._retry.wait(wait_s)
        elif not result.again and self._wake.wait(wait_s):
            self._stop.wait(self._gather_s)


def pause_s(
    result: StepResult, failures: int, idle_s: float, chance: random.Random, longest_backoff_s: float = CAP_S
) -> float:
    """Seconds until the step after this result, where nothing ends the wait. `failures` counts those in a row."""
    if result.failed:
        return full_jitter(failures, chance, result.retry_after_s, longest_backoff_s)
    if result.retry_after_s:
        return min(result.retry_after_s, CAP_S)
    return 0.0 if result.again else idle_s
