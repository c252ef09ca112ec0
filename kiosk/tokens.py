"""Which token this kiosk calls the centre with: the newest, or a former one where the centre does not know that.

A centre that was restored from a backup knows a token from before the backup. The kiosk then goes on with that one.
"""

import logging
import threading

from kiosk.enrolment import PendingEnrolment
from kiosk.store.identity import token_hash

log = logging.getLogger(__name__)


class KioskTokens:
    """The tokens in the file of a kiosk, and which of them is the present one. Safe from any thread."""

    def __init__(self, enrolment: PendingEnrolment) -> None:
        self._enrolment = enrolment
        self._lock = threading.Lock()
        self._present: str | None = None
        self._refused: set[str] = set()

    def present(self) -> str:
        """Returns the present token; empty where the file holds none. Raises OSError where it cannot be read."""
        with self._lock:
            if self._present is None:
                self._present = next(iter(self._enrolment.tokens()), "")
            return self._present

    def keep(self, token: str, asked_with: str | None) -> None:
        """Saves a newer token, and makes it the present one. `asked_with` is the hash of the token of the call.

        Raises OSError where it cannot be saved.
        """
        with self._lock:
            self._enrolment.add_token(token, asked_with)
            self._present = None

    def refuse(self, token_sha256: str) -> bool:
        """Takes another token, since the centre refuses the one with this hash. False where it has refused all.

        Raises OSError where the file cannot be read.
        """
        with self._lock:
            tokens = self._enrolment.tokens()
            self._refused.add(token_sha256)
            others = [token for token in tokens if token_hash(token) not in self._refused]
            self._present = next(iter(others), None)
            if others:
                log.warning("the centre refuses a token of this kiosk; another one is tried")
                return True
            self._refused.clear()
            return False

    def accept(self) -> None:
        """Notes that the centre accepts the present token."""
        with self._lock:
            self._refused.clear()
