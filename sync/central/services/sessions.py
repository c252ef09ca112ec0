"""The session of a browser: a token is exchanged for it, and it may be ended by itself."""

import msgspec

from sync.central.centre import Centre
from sync.central.records.sessions import begin_session, end_session
from sync.central.records.tokens import Bearer, hash_of


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


def end(centre: Centre, session: str) -> EndedSession:
    """Ends a session. Its sockets close."""
    with centre.store.write(brief=True) as db:
        return EndedSession(end_session(db, hash_of(session)))
