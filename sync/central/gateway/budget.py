"""How many bytes of bodies the gateway keeps: those that still come in, and those that wait for the worker."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Held:
    """Bytes that an address holds."""

    def __init__(self, budget: "Budget", address: str, number: int) -> None:
        self._budget = budget
        self._address = address
        self._number = number

    def shrink(self, number: int) -> None:
        """Holds so many at most."""
        spare = max(0, self._number - number)
        self._number -= spare
        self._budget.give_back(self._address, spare)


class Budget:
    """`total` bytes, of which an address has `share` at most."""

    def __init__(self, total: int, share: int) -> None:
        self._free = total
        self._share = share
        self._taken: Counter[str] = Counter()

    @contextmanager
    def holding(self, address: str, number: int) -> Iterator[Held | None]:
        """Holds so many bytes while the context is open; None where they are not to be had for this address."""
        if not self.take(address, number):
            yield None
            return
        held = Held(self, address, number)
        try:
            yield held
        finally:
            held.shrink(0)

    def take(self, address: str, number: int) -> bool:
        """Takes so many bytes; False where they are not to be had for this address."""
        if number > self._free or self._taken[address] + number > self._share:
            return False
        self._free -= number
        self._taken[address] += number
        return True

    def give_back(self, address: str, number: int) -> None:
        """Gives so many bytes back."""
        self._free += number
        self._taken[address] -= number
        if not self._taken[address]:
            del self._taken[address]
