"""Waits between tries: longer each time, and not in step with other processes."""

import random
from collections.abc import Callable


class Backoff:
    """Doubles from `first_s` up to `most_s` seconds. Each wait is a random part of that, from half to the whole."""

    def __init__(self, first_s: float, most_s: float, chance: Callable[[], float] = random.random) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._chance = chance
        self._next_s = first_s

    def next_s(self) -> float:
        """Seconds to wait now."""
        whole, self._next_s = self._next_s, min(self._next_s * 2, self._most_s)
        return whole * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        """Makes the next wait short again, after a try that worked."""
        self._next_s = self._first_s
