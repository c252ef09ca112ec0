"""Sessions of persons who have signed in: a token that nobody is told, and the session of it in a browser's cookie."""

from collections.abc import Sequence

import msgspec

from sync.central.records.accounts import Account
from sync.central.records.sessions import begin_session
from sync.central.records.tokens import IS_VALID, hash_of, id_of, issue, revoke
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import DAY_MS
from sync.journey.model import Role

MOST_SESSIONS = 12  # of one person
_KEPT_MS = 7 * DAY_MS  # after the end


class Lasting(msgspec.Struct, frozen=True):
    """How long a session lasts: since its beginning, and since the last press or request."""

    life_ms: int
    idle_ms: int


class SessionRecord(msgspec.Struct, frozen=True):
    """A session of a person. Times are UTC ms; `seen_ms` is true to a minute. The id is no secret."""

    session_id: str
    created_ms: int
    seen_ms: int
    expires_ms: int


def sign_in(db: WriteTransaction, account: Account, lasting: Lasting, now_ms: int) -> str:
    """Begins a session of a person and returns its text. Ends the oldest one where there are too many."""
    for token_hash in _valid(db, account.account_id, now_ms)[MOST_SESSIONS - 1 :]:
        revoke(db, token_hash, now_ms)
    token = issue(
        db,
        Role.STAFF,
        now_ms,
        name=account.login,
        expires_ms=now_ms + lasting.life_ms,
        account_id=account.account_id,
        duties=account.duties,
        idle_ms=lasting.idle_ms,
    )
    return begin_session(db, hash_of(token), now_ms)


def end_account_sessions(db: WriteTransaction, account_id: str, now_ms: int, *, session_id: str | None = None) -> int:
    """Ends the sessions of a person, or the one of an id, with their sockets. Returns how many it has ended."""
    ended = [each for each in _valid(db, account_id, now_ms) if session_id in (None, id_of(each))]
    return sum(revoke(db, each, now_ms) for each in ended)


def sessions_of_account(db: ReadTransaction, account_id: str, now_ms: int) -> list[SessionRecord]:
    """The sessions of a person that have not ended, the newest first."""
    rows = db.rows(
        "select token_hash, created_ms, seen_ms, expires_ms from tokens"  # noqa: S608
        f" where account_id = :account_id and {IS_VALID} order by created_ms desc, token_hash",
        account_id=account_id,
        now_ms=now_ms,
    )
    return [SessionRecord(id_of(row[0]), row[1], row[2], row[3]) for row in rows]


def delete_ended_account_tokens(db: WriteTransaction, now_ms: int) -> None:
    """Deletes the tokens of persons whose lives ended a week ago. Their sessions are deleted before."""
    db.execute(
        "delete from tokens where account_id is not null and expires_ms < :before_ms"
        " and not exists (select 1 from sessions where sessions.token_hash = tokens.token_hash)",
        {"before_ms": now_ms - _KEPT_MS},
    )


def _valid(db: ReadTransaction, account_id: str, now_ms: int) -> Sequence[str]:
    """The hashes of a person's valid tokens, the newest first."""
    rows = db.rows(
        f"select token_hash from tokens where account_id = :account_id and {IS_VALID}"  # noqa: S608
        " order by created_ms desc, token_hash",
        account_id=account_id,
        now_ms=now_ms,
    )
    return [row["token_hash"] for row in rows]
