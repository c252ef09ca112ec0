"""The cards at one reader or slot: what is a tap, what is read again, and when the field is clear.

The rules are the same for every kind of reader, and have their one home here:

- A card is a tap when the reader has not seen it for one second. At the edge of the field a card comes and goes several
  times in one movement of the hand. Two cards in one wallet answer alternately.
- What lies there at the first look is no tap: nobody may stand there any more. It is not even read, since a card that
  made a process hang would make the next one hang too. It is refused: lift it and hold it again.
- A card that nothing tells from the one that lay there is taken for it, until that one has been away for a second.
- A card that could not be read is read again while it lies there.
- The field is clear when no card has been seen for one second.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from hardware.card import Found, RefusedReason
from hardware.errors import place_of
from hardware.wire import Report

GAP_NS = 1_000_000_000
RETRY_NS = 200_000_000
_RETRY_MOST_NS = 2_000_000_000
_MAY_PASS = {RefusedReason.UNREADABLE, RefusedReason.IN_USE}


@dataclass(slots=True)
class _Lying:
    """One card in the field: what it was found to be, when it was last seen, and when it is read again."""

    found: Found
    has_name: bool
    seen_ns: int
    retry_ns: int = 0
    wait_ns: int = RETRY_NS


class Presence:
    """The field of one reader or slot. It begins with a first look, which lasts until `end_first_look`."""

    def __init__(self, reader: str, report: Report, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._reader = reader
        self._report = report
        self._clock_ns = clock_ns
        self._cards: dict[Hashable, _Lying] = {}
        self._told: dict[Found, int] = {}
        self._last: _Lying | None = None
        self._seen_ns = clock_ns()
        # An earlier process may have reported a card. The supervisor drops what it need not pass on.
        self._open = True
        self._is_first_look = True

    def see(self, mark: Hashable, read: Callable[[], Found], has_name: bool = True) -> Found | None:
        """Notes a card in the field, and reports it. Returns what it reports; None for a card that was there before.

        `mark` tells the card from others before anything is said to it; `read` speaks with it. `has_name` is false
        where one card may come with another mark each time.
        """
        now_ns = self._forget()
        card = self._cards.get(mark)
        if card is None:
            lay_there = self._is_first_look or (not has_name and self._a_nameless_card_lay_there())
            found = RefusedReason.LIFT_AGAIN if lay_there else self._read(read)
            card = self._cards[mark] = _Lying(found, has_name, now_ns, self._clock_ns() + RETRY_NS)
        elif card.found in _MAY_PASS and now_ns >= card.retry_ns:
            card.found = self._read(read)
            card.wait_ns = min(2 * card.wait_ns, _RETRY_MOST_NS)
            card.retry_ns = self._clock_ns() + card.wait_ns
        self._last = card
        self.see_same()
        return self._tell(card.found, now_ns)

    def see_same(self) -> None:
        """Notes that the card of the last look, if there was one, is still there or was until now."""
        if self._last:
            self._seen_ns = self._last.seen_ns = self._clock_ns()
            if self._last.found in self._told:
                self._told[self._last.found] = self._seen_ns

    def see_nothing(self) -> None:
        """Notes an empty field, and reports that it is clear when it has been empty for a second."""
        self._last = None
        now_ns = self._forget()
        if self._open and now_ns - self._seen_ns >= GAP_NS:
            self._open = False
            self._report.clear(self._reader)

    def end_first_look(self) -> None:
        """Cards that come from now on are taps."""
        self._is_first_look = False

    def lose_sight(self) -> None:
        """Begins with a first look again, after a time in which cards may have come and gone."""
        self._cards, self._told, self._last = {}, {}, None
        self._seen_ns = self._clock_ns()
        self._is_first_look = True

    @property
    def is_clear(self) -> bool:
        """Whether no card has been seen for a second."""
        return not self._open and self._last is None

    @property
    def due_ns(self) -> int | None:
        """When the next look is due although nothing changed in the field; None when there is no need of one."""
        if self._last:
            return self._last.retry_ns if self._last.found in _MAY_PASS else None
        return self._seen_ns + GAP_NS if self._open else None

    def _a_nameless_card_lay_there(self) -> bool:
        return any(card.found is RefusedReason.LIFT_AGAIN and not card.has_name for card in self._cards.values())

    def _read(self, read: Callable[[], Found]) -> Found:
        """Speaks with a card. Whatever is raised meanwhile is the card's fault: a reader is judged without a card."""
        self._report.dialogue_begun(self._reader)
        fault = ""
        try:
            return read()
        except Exception as error:  # noqa: BLE001 drivers raise anything at an odd card
            fault = place_of(error)
            return RefusedReason.UNREADABLE
        finally:
            self._report.dialogue_ended(fault)

    def _tell(self, found: Found, at_mono_ns: int) -> Found | None:
        is_new = found not in self._told
        if is_new and found in _MAY_PASS and self._told:
            return None  # most likely a card that was read a moment ago, on its way out: the next try tells
        self._told[found] = self._seen_ns
        if not is_new:
            return None
        self._open = True
        self._report.found(self._reader, found, at_mono_ns)
        return found

    def _forget(self) -> int:
        """Forgets the cards that were not seen for the gap. Returns the time."""
        now_ns = self._clock_ns()
        self._cards = {mark: card for mark, card in self._cards.items() if now_ns - card.seen_ns < GAP_NS}
        self._told = {found: seen_ns for found, seen_ns in self._told.items() if now_ns - seen_ns < GAP_NS}
        return now_ns


def seconds_until(due_ns: int | None, now_ns: int, most_s: float) -> float:
    """Seconds to wait for what is due, `most_s` at most."""
    return most_s if due_ns is None else min(max(0, due_ns - now_ns) / 1e9, most_s)
