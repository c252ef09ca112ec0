"""A person signs in with a login name and a password, and out again."""

import secrets
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.account_sessions import sign_in
from sync.central.records.accounts import (
    MAX_LOGIN,
    Account,
    account_of_id,
    account_of_login,
    change_account,
    login_of,
)
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import Duty, in_order
from sync.central.records.sessions import bearer_of_session
from sync.central.records.sign_in_settings import read_sign_in_settings
from sync.central.records.sign_ins import forget_browser, is_known_browser, remember_browser
from sync.central.records.tokens import Bearer, hash_of, revoke
from sync.central.services.errors import ApiError
from sync.central.services.passwords import LONGEST, Passwords
from sync.central.services.refused_access import NOBODY_KNOWN, note_refusal
from sync.central.services.sign_in_lock import (
    Guarded,
    TooMany,
    give_back,
    of_account,
    of_address,
    of_browser,
    take_try,
)
from sync.central.store.transactions import WriteTransaction

WRONG = ApiError("wrong_password", "The login name or the password is wrong.")
DISABLED = ApiError("account_disabled", "The account is disabled: an administrator can enable it.")


class SignIn(msgspec.Struct, frozen=True):
    """What a person types to sign in."""

    login: Annotated[str, Meta(min_length=1, max_length=MAX_LOGIN * 4)]
    password: Annotated[str, Meta(min_length=1, max_length=LONGEST * 4)]


class SignedIn(msgspec.Struct, frozen=True):
    """A person has signed in, and the cookies of the session and of the browser are in headers `Set-Cookie`."""

    name: str
    duties: tuple[Duty, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """A session has begun: its text and that of the browser's cookie, which only the browser holds, and the answer."""

    session: str
    browser: str
    answer: SignedIn


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who knocks: a network address, and what the cookies hold of a browser where a person has signed in before.

    `session` is the one that the new session takes the place of.
    """

    address: str | None
    browser: str | None = None
    session: str | None = None


def sign_in_by_password(
    centre: Centre, passwords: Passwords, wanted: SignIn, visitor: Visitor
) -> Begun | ApiError | TooMany:
    """Begins a session where the password is right. A wrong one and an unknown name have one answer in one time."""
    login, now_ms = login_of(wanted.login) or "", centre.clock()
    with centre.store.write(brief=True) as db:
        account = account_of_login(db, login)
        guarded = _guarded(db, account, login, visitor, now_ms)
        taken = take_try(db, guarded, now_ms)
    if isinstance(taken, TooMany):
        _note_locked(centre, account, visitor)
        return taken
    if not passwords.is_right(account.password_hash if account else None, wanted.password):
        note_wrong(centre, account, visitor, begins_lock=taken)
        return WRONG
    assert account is not None
    assert account.password_hash is not None
    outdated = passwords.is_outdated(account.password_hash)
    new_hash = passwords.hash(wanted.password) if outdated else account.password_hash
    with centre.store.write(brief=True) as db:
        give_back(db, guarded, guarded[:1], now_ms)
        now = account_of_id(db, account.account_id)
        if now is None or now.password_hash != account.password_hash:
            return WRONG
        if now.disabled_ms is not None:
            return DISABLED
        return begin(db, centre, replace(now, password_hash=new_hash), visitor, "password")


def begin(db: WriteTransaction, centre: Centre, account: Account, visitor: Visitor, way: str) -> Begun:
    """Begins a session of a person who has shown who they are, in a new cookie of session and browser.

    The browser's former session ends, also that of another person.
    """
    now_ms = centre.clock()
    change_account(db, replace(account, signed_in_ms=now_ms))
    db.asked_from = visitor.address
    former = bearer_of_session(db, hash_of(visitor.session), now_ms) if visitor.session else None
    if former is not None and former.account_id is not None:
        sign_out(db, former, now_ms)
    session = sign_in(db, account, read_sign_in_settings(db).lasting, now_ms)
    if visitor.browser:
        forget_browser(db, hash_of(visitor.browser))
    browser = secrets.token_urlsafe()
    remember_browser(db, hash_of(browser), account.account_id, now_ms)
    note(db, who_of(account), AuditKind.SIGN_IN, now_ms, detail={"by": way})
    return Begun(session, browser, SignedIn(account.name, in_order(account.duties)))


def sign_out(db: WriteTransaction, sender: Bearer, now_ms: int) -> None:
    """Ends the session of a person for good, with its sockets."""
    if revoke(db, sender.token_hash, now_ms):
        note(db, sender.who, AuditKind.SIGN_OUT, now_ms)


def who_of(account: Account) -> str:
    """A person's name in history and audit, as that of the bearer of the person's sessions."""
    return f"staff:{account.login}"


def note_wrong(centre: Centre, account: Account | None, visitor: Visitor, *, begins_lock: bool) -> None:
    """Counts a wrong password. A name that nobody has is not kept: it may be a password in the wrong field."""
    who = who_of(account) if account else NOBODY_KNOWN
    note_refusal(centre, AuditKind.REFUSED_SIGN_IN, visitor.address, who)
    if begins_lock:
        with centre.store.write(brief=True) as db:
            db.asked_from = visitor.address
            note(db, who, AuditKind.SIGN_IN_LOCKED, centre.clock())


def _note_locked(centre: Centre, account: Account | None, visitor: Visitor) -> None:
    note_refusal(centre, AuditKind.REFUSED_LOCKED, visitor.address, who_of(account) if account else NOBODY_KNOWN)


def _guarded(
    db: WriteTransaction, account: Account | None, login: str, visitor: Visitor, now_ms: int
) -> tuple[Guarded, ...]:
    """What a try counts for: a browser that the person has used alone, or else the name and the address."""
    if account is not None and visitor.browser:
        browser_hash = hash_of(visitor.browser)
        if is_known_browser(db, browser_hash, account.account_id, now_ms):
            return (of_browser(browser_hash),)
    return (of_account(login), of_address(visitor.address))
