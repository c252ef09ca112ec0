"""One-time codes of people: one makes an account, or sets the password of one. A code is stored as its hash."""

import msgspec

from sync.central.records.duties import Duty, duties_text, read_duties
from sync.central.store.transactions import ReadTransaction, WriteTransaction


class AccountCode(msgspec.Struct, frozen=True):
    """A code that nobody has used. `account_id` is that of the account whose password it sets; None: it makes one."""

    code_hash: str
    code_id: str
    account_id: str | None
    name: str
    duties: frozenset[Duty]
    made_by: str
    made_ms: int
    expires_ms: int


def add_account_code(db: WriteTransaction, code: AccountCode) -> None:
    """Stores a code, and deletes those that nobody has used in time and the former ones of its account."""
    db.execute(
        "delete from account_codes where expires_ms <= :now_ms or account_id = :account_id",
        {"now_ms": code.made_ms, "account_id": code.account_id},
    )
    db.execute(
        "insert into account_codes values"
        " (:code_hash, :code_id, :account_id, :name, :duties, :made_by, :made_ms, :expires_ms)",
        {**msgspec.structs.asdict(code), "duties": duties_text(code.duties)},
    )


def account_code(db: ReadTransaction, code_hash: str, now_ms: int) -> AccountCode | None:
    """The code of a hash; None for one that is unknown, used or too old."""
    row = db.row(
        "select * from account_codes where code_hash = :code_hash and expires_ms > :now_ms",
        code_hash=code_hash,
        now_ms=now_ms,
    )
    return AccountCode(**{**dict(row), "duties": read_duties(row["duties"])}) if row else None


def account_codes(db: ReadTransaction, now_ms: int) -> list[AccountCode]:
    """The codes that can be used, in the order of their making."""
    rows = db.rows("select * from account_codes where expires_ms > :now_ms order by code_id", now_ms=now_ms)
    return [AccountCode(**{**dict(row), "duties": read_duties(row["duties"])}) for row in rows]


def end_account_code(db: WriteTransaction, code_id: str) -> bool:
    """Deletes a code, as after its use. False where there is none."""
    return bool(db.execute("delete from account_codes where code_id = :code_id", {"code_id": code_id}).rowcount)


def end_codes_of_account(db: WriteTransaction, account_id: str) -> None:
    """Deletes the codes that would set the password of an account."""
    db.execute("delete from account_codes where account_id = :account_id", {"account_id": account_id})


def end_codes_made_by(db: WriteTransaction, who: str) -> None:
    """Deletes the codes that somebody has made, for whomever: who made a code knows it."""
    db.execute("delete from account_codes where made_by = :who", {"who": who})
