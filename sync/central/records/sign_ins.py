"""Wrong passwords and codes in a row, and the browsers that a person has signed in with."""

from collections.abc import Sequence

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import DAY_MS

FORGOTTEN_MS = DAY_MS  # after the last failure
KNOWN_MS = 90 * DAY_MS  # after the last sign-in with a browser
MOST_BROWSERS = 32  # of one person


class Failures(msgspec.Struct, frozen=True):
    """How often in a row it was wrong, and until when nothing more is tried (UTC ms). `whose` is a hash."""

    whose: str
    count: int = 0
    last_ms: int = 0
    until_ms: int = 0


def read_failures(db: ReadTransaction, whose: str, now_ms: int) -> Failures:
    """The failures of somebody that are no older than a day."""
    row = db.row("select whose, count, last_ms, until_ms from sign_in_failures where whose = :whose", whose=whose)
    if row is None or abs(now_ms - row["last_ms"]) >= FORGOTTEN_MS:
        return Failures(whose)
    return Failures(*row)


def write_failures(db: WriteTransaction, failures: Failures) -> None:
    """Stores the failures of somebody, in place of earlier ones. None are no row."""
    if failures.count <= 0:
        forget_failures(db, (failures.whose,))
        return
    db.execute(
        "insert into sign_in_failures values (:whose, :count, :last_ms, :until_ms) on conflict (whose) do update set"
        " count = excluded.count, last_ms = excluded.last_ms, until_ms = excluded.until_ms",
        msgspec.structs.asdict(failures),
    )


def forget_failures(db: WriteTransaction, whose: Sequence[str]) -> None:
    """Deletes the failures of some."""
    for each in whose:
        db.execute("delete from sign_in_failures where whose = :whose", {"whose": each})


def is_known_browser(db: ReadTransaction, browser_hash: str, account_id: str, now_ms: int) -> bool:
    """Whether a person has signed in with a browser within 90 days."""
    row = db.row(
        "select used_ms from known_browsers where browser_hash = :browser_hash and account_id = :account_id",
        browser_hash=browser_hash,
        account_id=account_id,
    )
    return row is not None and abs(now_ms - row["used_ms"]) < KNOWN_MS


def remember_browser(db: WriteTransaction, browser_hash: str, account_id: str, now_ms: int) -> None:
    """Notes that a person has signed in with a browser. Forgets the oldest ones where there are too many."""
    db.execute(
        "insert into known_browsers values (:browser_hash, :account_id, :now_ms)",
        {"browser_hash": browser_hash, "account_id": account_id, "now_ms": now_ms},
    )
    rows = db.rows(
        "select browser_hash from known_browsers where account_id = :account_id order by used_ms desc, browser_hash",
        account_id=account_id,
    )
    for row in rows[MOST_BROWSERS:]:
        forget_browser(db, row["browser_hash"])


def forget_browser(db: WriteTransaction, browser_hash: str) -> None:
    """Deletes a known browser."""
    db.execute("delete from known_browsers where browser_hash = :browser_hash", {"browser_hash": browser_hash})


def browsers_of(db: ReadTransaction, account_id: str) -> list[str]:
    """The hashes of the browsers that a person has signed in with."""
    rows = db.rows("select browser_hash from known_browsers where account_id = :account_id", account_id=account_id)
    return [row["browser_hash"] for row in rows]


def forget_browsers(db: WriteTransaction, account_id: str) -> None:
    """Deletes the known browsers of a person."""
    db.execute("delete from known_browsers where account_id = :account_id", {"account_id": account_id})


def delete_old_failures(db: WriteTransaction, now_ms: int) -> None:
    """Deletes failures that are older than a day, and browsers of which nothing was seen for 90 days."""
    db.execute("delete from sign_in_failures where last_ms < :before_ms", {"before_ms": now_ms - FORGOTTEN_MS})
    db.execute("delete from known_browsers where used_ms < :before_ms", {"before_ms": now_ms - KNOWN_MS})
