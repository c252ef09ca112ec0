"""The one-time codes of people: an invitation makes an account, and a code of an account sets its password.

A code is 16 letters of 31, which are 79 bits, and is good for 24 hours and one use. It is shown once, and stored as its
hash. Wrong codes are counted by address, and make it wait as wrong passwords do.
"""

import hashlib
import secrets
import sqlite3
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.account_codes import AccountCode, account_code, end_account_code
from sync.central.records.account_sessions import end_account_sessions
from sync.central.records.accounts import (
    MAX_LOGIN,
    Account,
    account_of_id,
    account_of_login,
    add_account,
    change_account,
    login_of,
)
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import Duty, in_order
from sync.central.records.sign_ins import forget_failures
from sync.central.services.errors import ApiError
from sync.central.services.passwords import LONGEST, Passwords, fault_of
from sync.central.services.refused_access import note_refusal
from sync.central.services.sign_in import DISABLED, Begun, Visitor, begin, who_of
from sync.central.services.sign_in_lock import TooMany, give_back, of_account, of_codes, take_try
from sync.central.store.transactions import WriteTransaction

CODE_LIFE_MS = 24 * 3_600_000
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXY"  # none that is taken for another
_LENGTH, _GROUP = 16, 4
UNKNOWN = ApiError("code_unknown", "There is no such code, or it is used or too old.")
_NO_LOGIN = ApiError("malformed", f"login must have 2 to {MAX_LOGIN} letters, digits, dots, hyphens, underscores or @.")
_NO_NAME = ApiError("malformed", "name must not be blank.")
_TAKEN = ApiError("login_taken", "Another account has the login name.")
TypedCode = Annotated[str, Meta(min_length=1, max_length=80)]


class CheckCode(msgspec.Struct, frozen=True):
    """A code as a person types it."""

    code: TypedCode


class CodeIsFor(msgspec.Struct, frozen=True):
    """What a code is for: a new account, or another password of the account with the name `login`."""

    makes_account: bool
    login: str
    name: str
    duties: tuple[Duty, ...]


class UseCode(msgspec.Struct, frozen=True):
    """What a person chooses with a code. `login` and `name` count for a new account alone."""

    code: TypedCode
    password: Annotated[str, Meta(min_length=1, max_length=LONGEST * 4)]
    login: Annotated[str, Meta(max_length=MAX_LOGIN * 4)] = ""
    name: Annotated[str, Meta(max_length=60, extra={"printable": True})] = ""


def made_code(
    centre: Centre, account_id: str | None, name: str, duties: frozenset[Duty], who: str
) -> tuple[str, AccountCode]:
    """A new code in its groups, and the row for it."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    now_ms = centre.clock()
    row = AccountCode(_hash(letters), centre.ids(), account_id, name, duties, who, now_ms, now_ms + CODE_LIFE_MS)
    return "-".join(letters[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP)), row


def check_code(centre: Centre, wanted: CheckCode, visitor: Visitor) -> CodeIsFor | ApiError | TooMany:
    """What a code is for."""
    with centre.store.write(brief=True) as db:
        found = _taken(db, centre, wanted.code, visitor)
        if isinstance(found, AccountCode):
            account = account_of_id(db, found.account_id) if found.account_id else None
            login = account.login if account else ""
            return CodeIsFor(account is None, login, account.name if account else found.name, in_order(found.duties))
    return _refused(centre, found, visitor)


def use_code(centre: Centre, passwords: Passwords, wanted: UseCode, visitor: Visitor) -> Begun | ApiError | TooMany:
    """Makes the account, or sets its password, and signs the person in. The code is used up."""
    with centre.store.write(brief=True) as db:
        code = _taken(db, centre, wanted.code, visitor)
        if not isinstance(code, AccountCode):
            account = None
        else:
            fault = _fault(db, code, wanted)
            if fault is not None:
                return fault
    if not isinstance(code, AccountCode):
        return _refused(centre, code, visitor)
    password_hash = passwords.hash(wanted.password)
    try:
        with centre.store.write(brief=True) as db:
            if not end_account_code(db, code.code_id):
                return UNKNOWN
            db.asked_from = visitor.address
            account = _with_password(db, centre, code, wanted, password_hash)
            return account if isinstance(account, ApiError) else begin(db, centre, account, visitor, "code")
    except sqlite3.IntegrityError:
        return _TAKEN  # another person took the login name at the same time


def _taken(db: WriteTransaction, centre: Centre, typed: str, visitor: Visitor) -> AccountCode | TooMany | None:
    """The code that was typed. A try that was wrong stays counted."""
    guarded, now_ms = (of_codes(visitor.address),), centre.clock()
    taken = take_try(db, guarded, now_ms)
    if isinstance(taken, TooMany):
        return taken
    found = account_code(db, _typed_hash(typed), now_ms)
    if found is not None:
        give_back(db, guarded, (), now_ms)
    return found


def _refused(centre: Centre, found: TooMany | None, visitor: Visitor) -> ApiError | TooMany:
    note_refusal(centre, AuditKind.REFUSED_ACCOUNT_CODE, visitor.address)
    return UNKNOWN if found is None else found


def _fault(db: WriteTransaction, code: AccountCode, wanted: UseCode) -> ApiError | None:
    """Why a person cannot have what was typed."""
    account = account_of_id(db, code.account_id) if code.account_id else None
    if account is not None:
        return DISABLED if account.disabled_ms is not None else fault_of(wanted.password, account.login, account.name)
    login = login_of(wanted.login)
    if login is None:
        return _NO_LOGIN
    if not wanted.name.strip():
        return _NO_NAME
    if account_of_login(db, login) is not None:
        return _TAKEN
    return fault_of(wanted.password, login, wanted.name.strip())


def _with_password(
    db: WriteTransaction, centre: Centre, code: AccountCode, wanted: UseCode, password_hash: str
) -> Account | ApiError:
    """The account of a code with its new password, as it is stored now."""
    now_ms = centre.clock()
    if code.account_id is None:
        login = login_of(wanted.login) or ""
        made = Account(centre.ids(), login, wanted.name.strip(), code.duties, now_ms, password_hash, password_ms=now_ms)
        add_account(db, made)
        note(db, who_of(made), AuditKind.ACCOUNT, now_ms, detail={"did": "welcome", "account": login})
        return made
    account = account_of_id(db, code.account_id)
    if account is None or account.disabled_ms is not None:
        return DISABLED
    changed = replace(account, password_hash=password_hash, password_ms=now_ms)
    change_account(db, changed)
    end_account_sessions(db, account.account_id, now_ms)
    forget_failures(db, (of_account(account.login).whose,))
    note(db, who_of(account), AuditKind.ACCOUNT, now_ms, detail={"did": "password", "account": account.login})
    return changed


def _typed_hash(typed: str) -> str:
    """The hash of a code as a person writes it: in any case, with any separators, with letters for like ones."""
    letters = "".join(each for each in typed.upper() if each.isalnum())
    return _hash(letters.translate(str.maketrans("Z", "2")))


def _hash(letters: str) -> str:
    return hashlib.sha256(letters.encode("utf-8", "surrogatepass")).hexdigest()
