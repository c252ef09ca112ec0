"""The bearers of tokens as the database has named them lately.

Nobody is let in by this memory. It says whom an action may be expected to come from, so that the action's own first
query can read the token too, and no unknown token ever takes the writer.
"""

import threading

from sync.central.records.tokens import Bearer

MOST_KNOWN = 4096


class KnownBearers:
    """May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bearers: dict[str, Bearer] = {}

    def get(self, token_hash: str) -> Bearer | None:
        """The bearer of the token with this hash, as the database named them last; None where it has not."""
        return self._bearers.get(token_hash)

    def remember(self, bearer: Bearer) -> None:
        """Takes a bearer in, in place of the one that was taken in first where there are too many."""
        with self._lock:
            if bearer.token_hash not in self._bearers and len(self._bearers) >= MOST_KNOWN:
                del self._bearers[next(iter(self._bearers))]
            self._bearers[bearer.token_hash] = bearer

    def forget(self, token_hash: str) -> None:
        """Leaves a bearer out."""
        with self._lock:
            self._bearers.pop(token_hash, None)
