"""How long WebSockets were connected, and how long their clients wanted them to be.

A session that ends without a goodbye leaves a gap, until the same bearer is connected again. A gap that closes within
`LONGEST_GAP_S` was wanted. A client that stays away longer has left, as a telephone that is switched off.
"""

from collections import deque

LONGEST_GAP_S = 300.0
MOST_GAPS = 8192  # the oldest is forgotten first


class Availability:
    """The sums of all sessions. `bearer` is any value that a client's sessions share. Times are seconds, monotonic."""

    def __init__(self) -> None:
        self._ended_s = 0.0  # of the sessions that have ended
        self._gaps_s = 0.0
        self._open = 0
        self._begun_s = 0.0  # the sum of the beginnings of the open sessions
        self._gaps: dict[str, deque[float]] = {}  # the beginnings of each bearer's gaps, the oldest bearer first

    @property
    def open(self) -> int:
        """The number of open sessions."""
        return self._open

    def connected_s(self, now_s: float) -> float:
        """The connected time of all sessions."""
        return self._ended_s + self._open * now_s - self._begun_s

    def wanted_s(self, now_s: float) -> float:
        """The connected time and the gaps that were wanted."""
        return self.connected_s(now_s) + self._gaps_s

    def begin(self, bearer: str, now_s: float) -> None:
        """A session opens. It closes the oldest gap of its bearer."""
        self._open += 1
        self._begun_s += now_s
        gaps = self._gaps.get(bearer)
        while gaps:
            gap_s = now_s - gaps.popleft()
            if gap_s <= LONGEST_GAP_S:
                self._gaps_s += gap_s
                break
        if gaps is not None and not gaps:
            del self._gaps[bearer]

    def end(self, bearer: str, begun_s: float, now_s: float, *, is_goodbye: bool) -> None:
        """A session ends that began at `begun_s`. `is_goodbye`: nobody wants it any more."""
        self._open -= 1
        self._begun_s -= begun_s
        self._ended_s += now_s - begun_s
        if is_goodbye:
            return
        if bearer not in self._gaps and len(self._gaps) >= MOST_GAPS:
            del self._gaps[next(iter(self._gaps))]
        self._gaps.setdefault(bearer, deque(maxlen=MOST_GAPS)).append(now_s)
