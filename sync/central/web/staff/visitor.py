"""Who has a page open: the person of the session in the cookie."""

import hashlib

import msgspec
from flask import request

from sync.central.centre import Centre
from sync.central.records.duties import OF_PROGRAMS, Duty
from sync.central.services.authentication import authenticate_session
from sync.central.services.errors import ApiError
from sync.central.web.senders import cookie_session
from sync.journey.model import Role


class Visitor(msgspec.Struct, frozen=True):
    """A person with a session. `csrf` is what a script of the session's own page says with each request."""

    name: str
    duties: frozenset[Duty]
    csrf: str


def visitor_here(centre: Centre) -> Visitor | None:
    """The person of the present request's session; None without one."""
    session = cookie_session()
    if session is None:
        return None
    sender = authenticate_session(centre, session, (Role.STAFF,), request.remote_addr)
    if isinstance(sender, ApiError):
        return None
    return Visitor(sender.name, OF_PROGRAMS, csrf_of(session))


def csrf_of(session: str) -> str:
    """What stands in a page of a session, and in no page of another origin. It does not tell the session."""
    return hashlib.sha256(f"csrf {session}".encode()).hexdigest()
