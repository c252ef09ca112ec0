"""Tells a new tap from the flicker of a card that never left.

At the edge of the field a card comes and goes several times in one movement of the hand. Two cards in one wallet answer
alternately. A card counts as a new tap only when the reader has not seen it for a while.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

GAP_NS = 300_000_000

K = TypeVar("K", bound=Hashable)


class Debounce(Generic[K]):
    """The cards that one reader saw last. Times are nanoseconds on one monotonic clock."""

    def __init__(self, gap_ns: int = GAP_NS) -> None:
        self._gap_ns = gap_ns
        self._present: K | None = None
        self._left_at_ns: dict[K, int] = {}

    def arrived(self, card: K, at_ns: int) -> bool:
        """Notes a card in the field; True for a new tap: the card was not there within the gap before."""
        if card == self._present:
            return False
        self.emptied(at_ns)
        self._present = card
        left_at = self._left_at_ns.pop(card, None)
        return left_at is None or at_ns - left_at >= self._gap_ns

    def emptied(self, at_ns: int) -> None:
        """Notes that the card has left the field, or that another one takes its place."""
        self._left_at_ns = {
            card: left_at for card, left_at in self._left_at_ns.items() if at_ns - left_at < self._gap_ns
        }
        if self._present is not None:
            self._left_at_ns[self._present] = at_ns
            self._present = None
