"""How fast the calls of one address go on while other addresses call too. Alone, an address has everything."""

from collections import OrderedDict

CALLS_A_SECOND = 600.0  # the kiosks of a chain, behind one address, come back 500 a second
# Calls of so long may come at once: 150. Thirty tablets of a ward behind one address open their page with three
# calls each. The kiosks of a site return one after the other, as their answers leave.
BURST_S = 0.25
_OTHERS_S = 2.0  # an address counts as calling for so long after a call


class Pace:
    """The pace of each address. All times are in seconds on one clock."""

    def __init__(self, calls_a_second: float = CALLS_A_SECOND) -> None:
        self._step_s = 1 / calls_a_second
        self._due: OrderedDict[str, float] = OrderedDict()  # when the next call of an address is due; last callers last
        self._called: dict[str, float] = {}

    def delay(self, address: str, now_s: float) -> float:
        """How long a call of an address that comes now has to wait."""
        due_s = max(self._due.pop(address, 0.0), now_s - BURST_S)
        self._forget(now_s)
        has_others = bool(self._due)
        # Alone, an address waits for nothing. Its calls count all the same: a flood has no burst left for the others.
        next_s = due_s + self._step_s
        self._due[address] = next_s if has_others else min(next_s, now_s)
        self._called[address] = now_s
        return max(0.0, due_s - now_s) if has_others else 0.0

    def _forget(self, now_s: float) -> None:
        """Forgets who has not called for a while."""
        while self._due:
            address = next(iter(self._due))
            if self._called[address] > now_s - _OTHERS_S:
                return
            del self._due[address], self._called[address]
