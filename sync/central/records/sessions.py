"""Sessions of browsers: what stands for a bearer token in a cookie, stored as SHA-256.

A session is valid while its token is. Its text begins with the id of the token, which is no secret.
"""

import base64
import secrets

from sync.central.records.tokens import IS_VALID, Bearer, bearer_of_hash, hash_of, id_of
from sync.central.store.news import TokenRevoked
from sync.central.store.transactions import ReadTransaction, WriteTransaction

SESSIONS_OF_A_TOKEN = 16


def begin_session(db: WriteTransaction, token_hash: str, now_ms: int) -> str:
    """Makes a session of a token and returns its text. Ends the oldest of that token where there are too many."""
    older = db.rows(
        "select session_hash from sessions where token_hash = :token_hash order by created_ms desc, session_hash",
        token_hash=token_hash,
    )
    for row in older[SESSIONS_OF_A_TOKEN - 1 :]:
        end_session(db, row["session_hash"])
    secret = base64.urlsafe_b64encode(secrets.token_bytes()).rstrip(b"=").decode()
    session = f"{id_of(token_hash)}.{secret}"
    db.execute(
        "insert into sessions values (:session_hash, :token_hash, :now_ms)",
        {"session_hash": hash_of(session), "token_hash": token_hash, "now_ms": now_ms},
    )
    return session


def bearer_of_session(db: ReadTransaction, session_hash: str, now_ms: int) -> Bearer | None:
    """The bearer of the token of a session; None where the session or its token is unknown or has ended."""
    row = db.row("select token_hash from sessions where session_hash = :session_hash", session_hash=session_hash)
    return bearer_of_hash(db, row["token_hash"], now_ms) if row else None


def end_session(db: WriteTransaction, session_hash: str) -> bool:
    """Ends a session and announces it: its sockets close on that news. False where there is none."""
    ended = db.execute("delete from sessions where session_hash = :session_hash", {"session_hash": session_hash})
    if ended.rowcount == 0:
        return False
    db.news.append(TokenRevoked(session_hash))
    return True


def delete_ended_sessions(db: WriteTransaction, now_ms: int) -> None:
    """Deletes the sessions whose tokens are no longer valid."""
    is_of_a_valid = f"select 1 from tokens where tokens.token_hash = sessions.token_hash and {IS_VALID}"  # noqa: S608
    db.execute(f"delete from sessions where not exists ({is_of_a_valid})", {"now_ms": now_ms})  # noqa: S608
