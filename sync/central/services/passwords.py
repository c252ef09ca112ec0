"""Passwords: which are taken, and their hashes. No more of them are hashed at a time than the machine has memory for.

The rules are those of NIST SP 800-63B: a length, and no password that many people have. None demands digits or signs.
"""

import threading
import unicodedata
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sync.central.services.errors import ApiError

SHORTEST, LONGEST = 10, 128  # characters
# 19 MiB and two passes: the least that OWASP names for argon2id. Two at a time are 38 MiB, which a Raspberry Pi has
# beside the kiosk, where 64 MiB each (RFC 9106) would let four guesses fill the memory of the service.
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
_AT_ONCE = 2
_SHORT = ApiError("weak_password", f"A password has at least {SHORTEST} characters.")
_LONG = ApiError("weak_password", f"A password has at most {LONGEST} characters.")
_KNOWN = ApiError("weak_password", "Many people have this password, so it is among the first that are tried.")
_OWN = ApiError("weak_password", "The password is little more than the name of the person or of the product.")
_REPEATED = ApiError("weak_password", "The password repeats one or two characters.")
_DIGITS_AND_SIGNS = "0123456789!@#$%^&*()-_=+.,?~ "
_PRODUCT = ("nfc-kiosk", "kiosk-central", "kiosk")


class Passwords:
    """Makes and checks hashes. May be used from any thread."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, LANES)
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._of_nobody = self._hasher.hash("the password of nobody")

    def hash(self, password: str) -> str:
        """The hash of a password in the PHC format."""
        with self._room:
            return self._hasher.hash(normal(password))

    def is_right(self, password_hash: str | None, password: str) -> bool:
        """Whether a password has this hash. Without a hash it takes the same time, and is wrong."""
        with self._room:
            try:
                found = self._hasher.verify(password_hash or self._of_nobody, normal(password))
            except (VerificationError, InvalidHashError):
                return False
        return found and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other costs than those of now."""
        return self._hasher.check_needs_rehash(password_hash)


def normal(password: str) -> str:
    """A password in the one spelling that its hash is made of: keyboards compose Hangul in several ways."""
    return unicodedata.normalize("NFKC", password)


def fault_of(password: str, *names: str) -> ApiError | None:
    """Why a password is not taken; None where it is. `names` are those of its person."""
    text = normal(password)
    if len(text) < SHORTEST:
        return _SHORT
    if len(text) > LONGEST:
        return _LONG
    folded = text.casefold()
    if len(set(folded)) < 3:
        return _REPEATED
    if folded in _worst():
        return _KNOWN
    own = [normal(each).casefold() for each in (*names, *_PRODUCT)]
    return _OWN if any(_is_little_more_than(folded, each) for each in own if each) else None


def _is_little_more_than(password: str, name: str) -> bool:
    """Whether a password is a name, and beside it no more than digits, signs and a few letters."""
    return name in password and len(password.replace(name, "").strip(_DIGITS_AND_SIGNS)) < 4


@cache
def _worst() -> frozenset[str]:
    """The passwords of at least ten characters among the 20,000 that people had most often in known leaks."""
    return frozenset((files("sync.central.services") / "worst_passwords.txt").read_text("utf-8").split())
