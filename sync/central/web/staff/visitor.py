"""Who has a page open: the person of the session in the cookie."""

import msgspec
from flask import request

from sync.central.centre import Centre
from sync.central.records.accounts import account_of_id
from sync.central.records.duties import ANY_DUTY, Duty
from sync.central.services.authentication import authenticate_person
from sync.central.services.errors import ApiError
from sync.central.web.senders import cookie_session, csrf_of


class Visitor(msgspec.Struct, frozen=True):
    """A person with a session. `csrf` is what a script of the session's own page says with each request."""

    login: str
    name: str
    duties: frozenset[Duty]
    csrf: str
    by_provider: bool = False


def visitor_here(centre: Centre) -> Visitor | None:
    """The person of the present request's session; None without one."""
    session = cookie_session()
    if session is None:
        return None
    sender = authenticate_person(centre, session, request.remote_addr, ANY_DUTY, is_attended=True)
    if isinstance(sender, ApiError) or sender.account_id is None:
        return None
    with centre.store.glance() as db:
        account = account_of_id(db, sender.account_id)
    if account is None:
        return None
    return Visitor(account.login, account.name, sender.duties, csrf_of(session), account.issuer is not None)
