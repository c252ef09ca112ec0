"""Accounts of staff as rows: who a person is, what the person may do, and how the person signs in."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.records.duties import Duty, duties_text, read_duties
from sync.central.store.transactions import ReadTransaction, WriteTransaction

MAX_LOGIN = 40
_LOGIN = re.compile(rf"[\w.@-]{{2,{MAX_LOGIN}}}")


class Account(msgspec.Struct, frozen=True):
    """A person who signs in. `login` is the person's name in history and audit, and never changes. Times are UTC ms."""

    account_id: str
    login: str
    name: str
    duties: frozenset[Duty]
    created_ms: int
    password_hash: str | None = None
    password_ms: int | None = None
    issuer: str | None = None
    subject: str | None = None
    disabled_ms: int | None = None
    signed_in_ms: int | None = None


def login_of(text: str) -> str | None:
    """A login name in the form in which it is stored, so that nobody has the name of another in other letters.

    None for a text that is none: a login name has 2 to 40 letters, digits, dots, hyphens, underscores or @.
    """
    folded = unicodedata.normalize("NFKC", text).strip().casefold()
    return folded if _LOGIN.fullmatch(folded) else None


def add_account(db: WriteTransaction, account: Account) -> None:
    """Stores a new account. Its login name is one that no account has."""
    db.execute(
        "insert into accounts values (:account_id, :login, :name, :duties, :password_hash, :issuer, :subject,"
        " :created_ms, :password_ms, :disabled_ms, :signed_in_ms)",
        {**msgspec.structs.asdict(account), "duties": duties_text(account.duties)},
    )


def change_account(db: WriteTransaction, account: Account) -> None:
    """Stores an account again, but for its login name."""
    db.execute(
        "update accounts set name = :name, duties = :duties, password_hash = :password_hash,"
        " password_ms = :password_ms, issuer = :issuer, subject = :subject, disabled_ms = :disabled_ms,"
        " signed_in_ms = :signed_in_ms where account_id = :account_id",
        {**msgspec.structs.asdict(account), "duties": duties_text(account.duties)},
    )


def account_of_id(db: ReadTransaction, account_id: str) -> Account | None:
    """The account of an id; None where there is none."""
    return _account(db.row("select * from accounts where account_id = :account_id", account_id=account_id))


def account_of_login(db: ReadTransaction, login: str) -> Account | None:
    """The account of a login name, as `login_of` gives it; None where there is none."""
    return _account(db.row("select * from accounts where login = :login", login=login))


def account_of_subject(db: ReadTransaction, issuer: str, subject: str) -> Account | None:
    """The account that a provider's subject is linked to; None where there is none."""
    query = "select * from accounts where issuer = :issuer and subject = :subject"
    return _account(db.row(query, issuer=issuer, subject=subject))


def accounts(db: ReadTransaction) -> list[Account]:
    """All accounts, by their login names."""
    rows = db.rows("select * from accounts order by login")
    return [_account_of(dict(row)) for row in rows]


def has_administrator_beside(db: ReadTransaction, account_id: str) -> bool:
    """Whether an account other than this one is in use, may administer, and has a way to sign in."""
    others = (each for each in accounts(db) if each.account_id != account_id and each.disabled_ms is None)
    return any(Duty.ADMINISTRATOR in each.duties and (each.password_hash or each.issuer) for each in others)


def _account(row: Any) -> Account | None:
    return _account_of(dict(row)) if row else None


def _account_of(columns: Mapping[str, Any]) -> Account:
    return Account(**{**columns, "duties": read_duties(columns["duties"])})
