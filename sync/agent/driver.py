"""A loop that is one step and how long to wait after it."""

import random
import threading
from collections.abc import Callable

from sync.agent.backoff import CAP_S, full_jitter
from sync.agent.steps import StepResult


class Driver:
    """Repeats a step in a thread of its own: at once while there is more to do, by the backoff after a failure, else
    after `idle_s` or a nudge. The step catches its own errors."""

    def __init__(self, name: str, step: Callable[[], StepResult], idle_s: float, chance: random.Random) -> None:
        self._step = step
        self._idle_s = idle_s
        self._chance = chance
        self._stop = threading.Event()
        self._work = threading.Event()
        self._hope = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def stopping(self) -> bool:
        """Whether it has been told to stop."""
        return self._stop.is_set()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def nudge(self) -> None:
        """There is something to do: ends an idle wait, never a backoff."""
        self._work.set()

    def hope(self) -> None:
        """The centre answers again: ends a backoff."""
        self._hope.set()

    def stop(self) -> None:
        """Tells the thread to end; `join` waits for it."""
        self._stop.set()
        self._work.set()
        self._hope.set()

    def join(self, timeout_s: float) -> None:
        """Waits for the thread, so long at most."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._work.clear()
            self._hope.clear()
            stepped = self._step()
            failures = failures + 1 if stepped.failed else 0
            if self._stop.is_set():
                return
            # What the centre asked for is waited out; a wait of our own choosing ends when there is a reason.
            if stepped.failed:
                ends = self._stop if stepped.retry_after_s else self._hope
                ends.wait(full_jitter(failures, self._chance, stepped.retry_after_s))
            elif stepped.retry_after_s:
                self._stop.wait(min(stepped.retry_after_s, CAP_S))
            elif not stepped.again:
                self._work.wait(self._idle_s)
