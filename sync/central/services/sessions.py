"""The session of a browser: a token is exchanged for it, and it ends by itself. A person gets one by signing in."""

import msgspec

from sync.central.centre import Centre
from sync.central.records.sessions import bearer_of_session, begin_session, end_session
from sync.central.records.tokens import Bearer, hash_of
from sync.central.services.sign_in import sign_out


class BegunSession(msgspec.Struct, frozen=True):
    """A session has begun, and its cookie is in the header `Set-Cookie`. It ends with its token."""

    role: str


class EndedSession(msgspec.Struct, frozen=True):
    """The session of the cookie has ended, and the browser is told to drop the cookie. `ended`: it was one."""

    ended: bool


def begin(centre: Centre, sender: Bearer) -> tuple[str, BegunSession]:
    """Makes a session of the sender's token. Returns its text, which only the cookie holds, and the answer."""
    with centre.store.write(brief=True) as db:
        session = begin_session(db, sender.token_hash, centre.clock())
    return session, BegunSession(sender.role.value)


def end(centre: Centre, session: str, address: str | None) -> EndedSession:
    """Ends a session. Its sockets close. A person is signed out."""
    now_ms = centre.clock()
    with centre.store.write(brief=True) as db:
        db.asked_from = address
        sender = bearer_of_session(db, hash_of(session), now_ms)
        if sender is not None and sender.account_id is not None:
            sign_out(db, sender, now_ms)
        return EndedSession(end_session(db, hash_of(session)))
