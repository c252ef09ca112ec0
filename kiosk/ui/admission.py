"""Who may see the kiosk's page: a browser gets in by a key that works once, and stays in by a cookie.

Every process of the machine reaches a port on loopback. The keys tell the kiosk's own browser from the others: only the
daemon's group can ask for one (`kiosk page-url`). The cookie is signed with a key that is kept in a file, so an open
page stays in when the daemon restarts. It has no age limit, since a page stays open for months.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

from itsdangerous import BadSignature, Signer

KEY_S = 600.0  # the time that a browser has to start
MAX_KEYS = 16  # a browser that keeps crashing asks again and again


class Admission:
    """The outstanding keys and the cookies of one kiosk. Safe from any thread."""

    def __init__(self, signing_key: bytes, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Takes the key that signs the cookies, and a clock in seconds."""
        self._signer = Signer(signing_key, salt="page", key_derivation="hmac", digest_method=hashlib.sha256)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._ends: dict[bytes, float] = {}  # by the SHA-256 of the key, oldest first

    def one_time_url(self, page_url: str) -> str:
        """Returns a URL that opens the page of this address once, within ten minutes.

        At most sixteen of them are good at a time: a newer one takes the place of the oldest.
        """
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._forget_expired()
            while len(self._ends) >= MAX_KEYS:
                del self._ends[next(iter(self._ends))]
            self._ends[_digest(key)] = self._monotonic() + KEY_S
        return f"{page_url}open/{key}"

    def is_good(self, key: str) -> bool:
        """Whether a key opens the page now. The key stays good."""
        with self._lock:
            return self._find(key) is not None

    def use_up(self, key: str) -> bool:
        """Whether a key opens the page now. It never does again."""
        with self._lock:
            found = self._find(key)
            if found is not None:
                del self._ends[found]
            return found is not None

    def make_cookie(self) -> str:
        """Returns the value of a cookie for one browser."""
        return self._signer.sign(secrets.token_urlsafe(16)).decode()

    def admits(self, cookie: str | None) -> bool:
        """Whether the value of a cookie is one of this kiosk's."""
        try:
            self._signer.unsign(_encode(cookie or ""))
        except BadSignature:
            return False
        return True

    def _find(self, key: str) -> bytes | None:
        self._forget_expired()
        wanted = _digest(key)
        return next((digest for digest in self._ends if hmac.compare_digest(digest, wanted)), None)

    def _forget_expired(self) -> None:
        now = self._monotonic()
        self._ends = {digest: end for digest, end in self._ends.items() if end > now}


def _digest(key: str) -> bytes:
    return hashlib.sha256(_encode(key)).digest()


def _encode(text: str) -> bytes:
    # Half a surrogate is no text, and part of no key.
    return text.encode("utf-8", "replace")
