"""Tells a new tap from the flicker of a card that never left.

At the edge of the field a card comes and goes several times in one movement of the hand, and of two cards in one wallet
now this one answers and now that. A card counts anew only when the reader has not seen it for a while.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

GAP_NS = 300_000_000

K = TypeVar("K", bound=Hashable)


class Debounce(Generic[K]):
    """What one reader has seen lately. Times are nanoseconds on one monotonic clock."""

    def __init__(self, gap_ns: int = GAP_NS) -> None:
        self._gap_ns = gap_ns
        self._here: K | None = None
        self._left: dict[K, int] = {}

    def arrived(self, card: K, at_ns: int) -> bool:
        """Notes a card in the field; True when that is a new tap: it was not there within the gap before."""
        if card == self._here:
            return False
        self.emptied(at_ns)
        self._here = card
        left_at = self._left.pop(card, None)
        return left_at is None or at_ns - left_at >= self._gap_ns

    def emptied(self, at_ns: int) -> None:
        """Notes that the field is empty, or that the card in it is no longer the one before."""
        self._left = {card: left for card, left in self._left.items() if at_ns - left < self._gap_ns}
        if self._here is not None:
            self._left[self._here] = at_ns
            self._here = None
