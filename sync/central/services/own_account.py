"""A person's own account: who is signed in, until when, the person's sessions, and another password."""

from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.account_sessions import (
    SessionRecord,
    end_account_sessions,
    sessions_of_account,
)
from sync.central.records.accounts import account_of_id, change_account
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import Duty, in_order
from sync.central.records.tokens import Bearer, id_of
from sync.central.services.errors import ApiError
from sync.central.services.passwords import LONGEST, Passwords, fault_of
from sync.central.services.sign_in import WRONG, Begun, Visitor, begin
from sync.central.services.sign_in_lock import TooMany, give_back, of_own_password, take_try

NO_ACCOUNT = ApiError("not_found", "There is no such account.")
NO_SESSION = ApiError("not_found", "There is no such session.")
_NO_PERSON = ApiError("not_applicable", "The token is no person's.")
_ELSEWHERE = ApiError("not_applicable", "The person signs in at a provider and has no password here.")


class ChangePassword(msgspec.Struct, frozen=True):
    """The person's password, and the one to have in its place."""

    current: Annotated[str, Meta(min_length=1, max_length=LONGEST * 4)]
    password: Annotated[str, Meta(min_length=1, max_length=LONGEST * 4)]


class OwnAccount(msgspec.Struct, frozen=True):
    """The person who is signed in. Times are UTC ms: when the session ends, and when it ends without another press."""

    login: str
    name: str
    duties: tuple[Duty, ...]
    has_password: bool
    session_id: str
    now_ms: int
    expires_ms: int | None
    idle_ends_ms: int | None


class OwnSessions(msgspec.Struct, frozen=True):
    """The sessions of the person, the newest first. `session_id` is that of the one that asks."""

    session_id: str
    sessions: tuple[SessionRecord, ...]


class EndedSessions(msgspec.Struct, frozen=True):
    """How many sessions have ended."""

    ended: int


def own_account(centre: Centre, sender: Bearer) -> OwnAccount | ApiError:
    """The person who is signed in."""
    now_ms = centre.clock()
    with centre.store.glance() as db:
        account = account_of_id(db, sender.account_id) if sender.account_id else None
    if account is None:
        return _NO_PERSON
    idle_ends_ms = None if sender.idle_ms is None or sender.seen_ms is None else sender.seen_ms + sender.idle_ms
    return OwnAccount(
        account.login,
        account.name,
        in_order(account.duties),
        account.password_hash is not None,
        id_of(sender.token_hash),
        now_ms,
        sender.expires_ms,
        idle_ends_ms,
    )


def own_sessions(centre: Centre, sender: Bearer) -> OwnSessions | ApiError:
    """The sessions of the person who is signed in."""
    if sender.account_id is None:
        return _NO_PERSON
    with centre.store.read() as db:
        found = sessions_of_account(db, sender.account_id, centre.clock())
    return OwnSessions(id_of(sender.token_hash), tuple(found))


def end_own_session(centre: Centre, sender: Bearer, session_id: str, address: str | None) -> EndedSessions | ApiError:
    """Ends a session of the person who is signed in, such as one at another desk."""
    if sender.account_id is None:
        return _NO_PERSON
    with centre.store.write(brief=True) as db:
        now_ms, db.asked_from = centre.clock(), address
        ended = end_account_sessions(db, sender.account_id, now_ms, session_id=session_id)
        if ended:
            note(db, sender.who, AuditKind.ACCOUNT, now_ms, detail={"did": "end-sessions", "ended": ended})
    return EndedSessions(ended) if ended else NO_SESSION


def change_password(
    centre: Centre, passwords: Passwords, sender: Bearer, wanted: ChangePassword, visitor: Visitor
) -> Begun | ApiError | TooMany:
    """Sets another password where the current one is right. All sessions end, and the page gets a new one.

    Wrong ones count as at sign-in.
    """
    now_ms = centre.clock()
    with centre.store.write(brief=True) as db:
        account = account_of_id(db, sender.account_id) if sender.account_id else None
        if account is None:
            return _NO_PERSON
        if account.password_hash is None:
            return _ELSEWHERE
        fault = fault_of(wanted.password, account.login, account.name)
        if fault is not None:
            return fault
        guarded = (of_own_password(account.login),)
        taken = take_try(db, guarded, now_ms)
    if isinstance(taken, TooMany):
        return taken
    if not passwords.is_right(account.password_hash, wanted.current):
        return WRONG
    new_hash = passwords.hash(wanted.password)
    with centre.store.write(brief=True) as db:
        give_back(db, guarded, guarded, now_ms)
        now = account_of_id(db, account.account_id)
        if now is None or now.password_hash != account.password_hash or now.disabled_ms is not None:
            return WRONG
        changed = replace(now, password_hash=new_hash, password_ms=now_ms)
        change_account(db, changed)
        end_account_sessions(db, now.account_id, now_ms)
        db.asked_from = visitor.address
        note(db, sender.who, AuditKind.ACCOUNT, now_ms, detail={"account": now.login, "did": "password"})
        return begin(db, centre, changed, visitor, "password")
