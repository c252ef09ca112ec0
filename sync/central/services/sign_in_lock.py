"""The lock against guessing: after some failures each further try has to wait, longer each time, to 15 minutes.

Tries are counted before the password is looked at, so tries at once do not get past the count. Rows keep the count, so
a restart ends no lock.

A stranger who guesses at a name locks that name for browsers that the person has never signed in with, for 15 minutes
after the last guess. A browser that the person has used bears a cookie of its own, and its tries are counted apart from
those of all others: the ward's machines go on.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from sync.central.records.sign_ins import Failures, forget_failures, read_failures, write_failures
from sync.central.services.refused_access import origin_of
from sync.central.store.transactions import WriteTransaction

FIRST_WAIT_MS, LONGEST_WAIT_MS = 30_000, 15 * 60_000


class Guarded(msgspec.Struct, frozen=True):
    """What tries are counted for, as a hash, and how many failures in a row are free."""

    whose: str
    free: int


class TooMany(msgspec.Struct, frozen=True):
    """Nothing was tried, since too much was wrong before. `wait_ms`: how long it will be so."""

    wait_ms: int


def of_account(login: str) -> Guarded:
    """A login name, whether an account has it or not."""
    return Guarded(_hash("account", login), 5)


def of_own_password(login: str) -> Guarded:
    """The current password, as the person types it to choose another one."""
    return Guarded(_hash("own password", login), 5)


def of_codes(address: str | None) -> Guarded:
    """The one-time codes from a network address."""
    return Guarded(_hash("codes", origin_of(address or "")), 10)


def of_browser(browser_hash: str) -> Guarded:
    """A browser that the person has signed in with before."""
    return Guarded(_hash("browser", browser_hash), 5)


def of_address(address: str | None) -> Guarded:
    """A network address, behind which a whole ward may be."""
    return Guarded(_hash("address", origin_of(address or "")), 30)


def take_try(db: WriteTransaction, guarded: Sequence[Guarded], now_ms: int) -> TooMany | bool:
    """Counts a try as a failure until it is given back. True where this one brought the first wait about."""
    rows = [read_failures(db, each.whose, now_ms) for each in guarded]
    wait_ms = max((each.until_ms - now_ms for each in rows), default=0)
    if wait_ms > 0:
        return TooMany(min(wait_ms, LONGEST_WAIT_MS))
    begins = False
    for each, row in zip(guarded, rows, strict=True):
        count = row.count + 1
        begins |= count == each.free
        write_failures(db, Failures(each.whose, count, now_ms, now_ms + wait_after(count, each.free)))
    return begins


def give_back(db: WriteTransaction, guarded: Sequence[Guarded], cleared: Sequence[Guarded], now_ms: int) -> None:
    """Counts the last try no longer, since it was right. Those of `cleared` have no failures any more.

    A right password says nothing of the other tries of its address, so these stay.
    """
    forget_failures(db, [each.whose for each in cleared])
    for each in guarded:
        if each not in cleared:
            count = read_failures(db, each.whose, now_ms).count - 1
            write_failures(db, Failures(each.whose, count, now_ms, now_ms + wait_after(count, each.free)))


def wait_after(count: int, free: int) -> int:
    """How long to wait after so many failures in a row, in ms."""
    return 0 if count < free else min(FIRST_WAIT_MS * 2 ** min(count - free, 10), LONGEST_WAIT_MS)


def _hash(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind}:{name}".encode("utf-8", "surrogatepass")).hexdigest()
