"""How many connections the gateway holds, in all and for one address."""

from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Protocol


class Holder(Protocol):
    """What holds a place."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way: it can be ended without harm."""

    def end(self) -> None:
        """Gives the place up."""


class Places:
    """`total` places. An address has `share` of them at most, and fewer where the house is full.

    Where no place is free, the address with the most places gives up one that is idle, for an address with fewer.
    """

    def __init__(self, total: int, share: int, is_exempt: Callable[[str], bool] = lambda _: False) -> None:
        """`is_exempt` says which addresses have no share of their own, such as a proxy's."""
        self._total = total
        self._share = share
        self._is_exempt = is_exempt
        self._taken = 0
        self._held: defaultdict[str, dict[Hashable, Holder]] = defaultdict(dict)  # the oldest first

    @property
    def taken(self) -> int:
        """The number of places that are taken."""
        return self._taken

    def take(self, address: str, holder: Holder) -> bool:
        """Takes a place; False where none is to be had for this address."""
        own = len(self._held.get(address, ()))
        if own >= self._share and not self._is_exempt(address):
            return False
        if self._taken >= self._total and not self._make_room(own):
            return False
        self._held[address][id(holder)] = holder
        self._taken += 1
        return True

    def leave(self, address: str, holder: Holder) -> None:
        """Gives a place back. Without effect where the holder has none."""
        held = self._held.get(address)
        if held is None or held.pop(id(holder), None) is None:
            return
        self._taken -= 1
        if not held:
            del self._held[address]

    def _make_room(self, own: int) -> bool:
        address, held = max(self._held.items(), key=lambda each: len(each[1]))
        if len(held) <= own + 1:
            return False
        oldest = next((each for each in held.values() if each.is_idle), None)
        if oldest is None:
            return False
        oldest.end()
        self.leave(address, oldest)
        return True
