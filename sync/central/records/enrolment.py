"""Codes of enrolment and wrong codes as rows. A code is stored as its hash."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.ids import new_id


@dataclass(frozen=True, slots=True)
class EnrolCode:
    """A code that enrols one kiosk. `grants` are the kinds of kiosk and the actions that it grants at most."""

    grants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failures:
    """The number of wrong codes from all addresses and from one, and the time of the first (UTC ms; None: none)."""

    of_all: int
    of_one: int
    first_ms: int | None


def add_code(db: WriteTransaction, code_hash: str, grants: Sequence[str], now_ms: int, expires_ms: int) -> None:
    """Stores a code, and deletes those that were used or have expired."""
    db.execute("delete from enrol_codes where expires_ms < :now_ms or used_ms is not null", {"now_ms": now_ms})
    db.execute(
        "insert into enrol_codes values (:code_hash, :grants, :now_ms, :expires_ms, null)",
        {
            "code_hash": code_hash,
            "grants": msgspec.json.encode(list(grants)).decode(),
            "now_ms": now_ms,
            "expires_ms": expires_ms,
        },
    )


def valid_code(db: ReadTransaction, code_hash: str, now_ms: int) -> EnrolCode | None:
    """The code of a hash. None for a code that is unknown, used or has expired."""
    row = db.row(
        "select grants from enrol_codes where code_hash = :code_hash and used_ms is null and expires_ms > :now_ms",
        now_ms=now_ms,
        code_hash=code_hash,
    )
    return EnrolCode(msgspec.json.decode(row["grants"], type=tuple[str, ...])) if row else None


def use_code(db: WriteTransaction, code_hash: str, now_ms: int) -> None:
    """Uses up a valid code."""
    db.execute(
        "update enrol_codes set used_ms = :now_ms where code_hash = :code_hash",
        {"now_ms": now_ms, "code_hash": code_hash},
    )


def add_failure(db: WriteTransaction, origin: str, now_ms: int) -> None:
    """Records a wrong code from a network address."""
    db.execute(
        "insert into enrol_failures values (:failure_id, :origin, :now_ms)",
        {"failure_id": new_id(), "origin": origin, "now_ms": now_ms},
    )


def delete_failures_before(db: WriteTransaction, since_ms: int) -> None:
    """Deletes the wrong codes from before a time."""
    db.execute("delete from enrol_failures where at_ms < :since_ms", {"since_ms": since_ms})


def count_failures(db: ReadTransaction, origin: str) -> Failures:
    """The wrong codes that are stored, those from one network address counted apart."""
    row = db.row(
        "select count(*) as of_all, coalesce(sum(case when origin = :origin then 1 else 0 end), 0) as of_one,"
        " min(at_ms) as first_ms from enrol_failures",
        origin=origin,
    )
    assert row is not None
    return Failures(row["of_all"], row["of_one"], row["first_ms"])
