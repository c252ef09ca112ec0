"""Codes of enrolment and wrong codes as rows. A code is stored as its hash."""

from dataclasses import dataclass

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.ids import new_id


@dataclass(frozen=True, slots=True)
class EnrolCode:
    """A code that enrols one kiosk.

    - `code_hash`: SHA-256 (hex) of the code.
    - `grants`: the kinds of kiosk and the actions that it grants at most.
    - `secret`: 32 bytes in hex, which never leave the centre.
    - `created_ms`: UTC ms.
    - `kiosk_id`: the kiosk that has used the code; None for a code that nobody has used.
    """

    code_hash: str
    grants: tuple[str, ...]
    secret: str
    created_ms: int
    kiosk_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failures:
    """The number of wrong codes from all addresses and from one, and the time of the first (UTC ms; None: none)."""

    of_all: int
    of_one: int
    first_ms: int | None


def add_code(db: WriteTransaction, code: EnrolCode, life_ms: int) -> None:
    """Stores a code that nobody has used, and deletes those whose life of `life_ms` is over, used or not."""
    db.execute(
        "delete from enrol_codes where abs(:now_ms - created_ms) >= :life_ms",
        {"now_ms": code.created_ms, "life_ms": life_ms},
    )
    db.execute(
        "insert into enrol_codes values (:code_hash, :grants, :secret, :now_ms, null)",
        {
            "code_hash": code.code_hash,
            "grants": msgspec.json.encode(code.grants).decode(),
            "secret": code.secret,
            "now_ms": code.created_ms,
        },
    )


def read_code(db: ReadTransaction, code_hash: str) -> EnrolCode | None:
    """The code of a hash, used or not, also after its life; None for an unknown one."""
    row = db.row("select * from enrol_codes where code_hash = :code_hash", code_hash=code_hash)
    if row is None:
        return None
    grants = msgspec.json.decode(row["grants"], type=tuple[str, ...])
    return EnrolCode(row["code_hash"], grants, row["secret"], row["created_ms"], row["kiosk_id"])


def use_code(db: WriteTransaction, code_hash: str, kiosk_id: str) -> None:
    """Uses up a code, which has made this kiosk."""
    db.execute(
        "update enrol_codes set kiosk_id = :kiosk_id where code_hash = :code_hash",
        {"kiosk_id": kiosk_id, "code_hash": code_hash},
    )


def add_failure(db: WriteTransaction, origin: str, now_ms: int, window_ms: int) -> None:
    """Records a wrong code from a network address, and deletes those that are `window_ms` away in time."""
    db.execute(
        "delete from enrol_failures where abs(:now_ms - at_ms) >= :window_ms",
        {"now_ms": now_ms, "window_ms": window_ms},
    )
    db.execute(
        "insert into enrol_failures values (:failure_id, :origin, :now_ms)",
        {"failure_id": new_id(), "origin": origin, "now_ms": now_ms},
    )


def count_failures(db: ReadTransaction, origin: str, now_ms: int, window_ms: int) -> Failures:
    """The wrong codes that are less than `window_ms` away in time. Those from one network address count apart.

    A clock that was set back leaves wrong codes of the future, which count no longer than others.
    """
    row = db.row(
        "select count(*) as of_all, coalesce(sum(case when origin = :origin then 1 else 0 end), 0) as of_one,"
        " min(at_ms) as first_ms from enrol_failures where abs(:now_ms - at_ms) < :window_ms",
        origin=origin,
        now_ms=now_ms,
        window_ms=window_ms,
    )
    assert row is not None
    return Failures(row["of_all"], row["of_one"], row["first_ms"])
