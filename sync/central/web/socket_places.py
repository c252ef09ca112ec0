"""How many WebSockets are open, in all and with one token."""

import threading
from collections import Counter
from collections.abc import Callable

MAX_SOCKETS = 3000  # a large hospital has 500 boards and 2,000 telephones at a time
SOCKETS_OF_A_TOKEN = 64  # a ward's boards may share a token; a patient has a telephone or two


class SocketPlaces:
    """The places of the open WebSockets. Safe from any thread."""

    def __init__(self, total: int = MAX_SOCKETS, of_a_token: int = SOCKETS_OF_A_TOKEN) -> None:
        self._total = total
        self._of_a_token = of_a_token
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    @property
    def open_count(self) -> int:
        """The number of open sockets."""
        with self._lock:
            return self._open.total()

    def take(self, token_hash: str) -> Callable[[], None] | None:
        """Takes a place. Returns what gives it back, called once; None where no place is free for the token."""
        with self._lock:
            if self._open.total() >= self._total or self._open[token_hash] >= self._of_a_token:
                return None
            self._open[token_hash] += 1
        return lambda: self._leave(token_hash)

    def _leave(self, token_hash: str) -> None:
        with self._lock:
            self._open[token_hash] -= 1
            if not self._open[token_hash]:
                del self._open[token_hash]
