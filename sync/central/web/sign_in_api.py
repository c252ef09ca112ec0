"""Signing in and out, and a person's own account, for the pages of staff. The session is in a cookie.

A sign-in needs no token, so it is taken from a page of the centre alone: a page of another site can sign nobody in.
"""

from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, request

from sync.central.centre import Centre
from sync.central.network.bearer import session_in
from sync.central.network.web_settings import WebSettings
from sync.central.records.duties import ANY_DUTY
from sync.central.records.tokens import Bearer
from sync.central.services.bodies import read_members
from sync.central.services.door import publish
from sync.central.services.errors import NO_OBJECT, ApiError
from sync.central.services.own_account import (
    ChangePassword,
    EndedSessions,
    OwnAccount,
    OwnSessions,
    change_password,
    end_own_session,
    own_account,
    own_sessions,
)
from sync.central.services.passwords import Passwords
from sync.central.services.sign_in import Begun, SignedIn, SignIn, Visitor, sign_in_by_password
from sync.central.services.sign_in_lock import TooMany
from sync.central.services.told import AboutNobody
from sync.central.web.contract import Contract
from sync.central.web.endpoints import Endpoints
from sync.central.web.http import read_json, respond, respond_error
from sync.central.web.origins import FOREIGN_ORIGIN, Origins
from sync.central.web.senders import is_in_clear, sender_of, session_attributes, session_cookie
from sync.journey.model import Role

_BROWSER, _SECURE_BROWSER = "nk_browser", "__Host-nk_browser"
_BROWSER_S = 90 * 24 * 3600
T = TypeVar("T", bound=msgspec.Struct)
_IN_CLEAR = ApiError("https_only", "A password is taken over https alone, or on the centre's own machine.")
_OF_A_PASSWORD = ("wrong_password", "too_many_tries", "foreign_origin")
_SIGN_IN = Contract("Sign in with a password", SignedIn, body=SignIn, refuses=("account_disabled", *_OF_A_PASSWORD))
_CHANGE = Contract(
    "Choose another password",
    SignedIn,
    (Role.STAFF,),
    body=ChangePassword,
    refuses=("weak_password", "not_applicable", *_OF_A_PASSWORD),
    duties=ANY_DUTY,
    of_pages=True,
)


def sign_in_api(
    centre: Centre, endpoints: Endpoints, origins: Origins, passwords: Passwords, web: WebSettings
) -> Blueprint:
    """The routes of signing in, and those under /api/v1/me/."""
    api = Blueprint("people", __name__, url_prefix="/api/v1")

    @api.post("/sign-in/")
    @endpoints.documented(_SIGN_IN)
    def sign_in() -> Response:
        wanted = read_secret(SignIn, origins, web)
        if isinstance(wanted, ApiError):
            return respond_error(wanted)
        return signed_in(sign_in_by_password(centre, passwords, wanted, visitor()))

    @api.post("/me/password/")
    @endpoints.documented(_CHANGE)
    def choose_password() -> Response:
        sender = sender_of(centre, origins, (Role.STAFF,), ANY_DUTY)
        if isinstance(sender, ApiError):
            return respond_error(sender)
        wanted = read_secret(ChangePassword, origins, web)
        if isinstance(wanted, ApiError):
            return respond_error(wanted)
        return signed_in(change_password(centre, passwords, sender, wanted, visitor()))

    @api.get("/me/")
    @endpoints.endpoint("Read who is signed in", OwnAccount, Role.STAFF, duty=ANY_DUTY, refuses=("not_applicable",))
    def me(sender: Bearer) -> AboutNobody | ApiError:
        return _about_nobody(own_account(centre, sender))

    @api.get("/me/sessions/")
    @endpoints.endpoint("List one's sessions", OwnSessions, Role.STAFF, duty=ANY_DUTY, refuses=("not_applicable",))
    def my_sessions(sender: Bearer) -> AboutNobody | ApiError:
        return _about_nobody(own_sessions(centre, sender))

    @api.delete("/me/sessions/<session_id>/")
    @endpoints.endpoint(
        "End one of one's sessions", EndedSessions, Role.STAFF, duty=ANY_DUTY, refuses=("not_applicable", "not_found")
    )
    def end_my_session(sender: Bearer, session_id: str) -> AboutNobody | ApiError:
        return _about_nobody(end_own_session(centre, sender, session_id))

    return api


def read_secret(kind: type[T], origins: Origins, web: WebSettings) -> T | ApiError:
    """The body of a request of a page of the centre that holds a password or a code; an ApiError for any other."""
    if not origins.is_own_page(request.environ):
        return FOREIGN_ORIGIN
    if is_in_clear(web):
        return _IN_CLEAR
    document = read_json()
    if isinstance(document, ApiError):
        return document
    return read_members(kind, document, {}) if isinstance(document, dict) else NO_OBJECT


def visitor() -> Visitor:
    """Who sends the present request, before anybody knows."""
    name = _SECURE_BROWSER if request.is_secure else _BROWSER
    return Visitor(request.remote_addr, session_in(request.headers.get("Cookie", ""), name))


def signed_in(begun: Begun | ApiError | TooMany) -> Response:
    """The response to who has signed in, with the cookies, or to who has not."""
    if isinstance(begun, TooMany):
        minutes = -(-begun.wait_ms // 60_000)
        response = respond_error(ApiError("too_many_tries", f"Too many tries were wrong: wait {minutes} min."))
        response.headers["Retry-After"] = str(-(-begun.wait_ms // 1000))
        return response
    if isinstance(begun, ApiError):
        return respond_error(begun)
    response = respond(200, publish(AboutNobody(begun.answer)))
    set_cookies(response, begun)
    return response


def set_cookies(response: Response, begun: Begun) -> None:
    """Puts the cookies of a new session and of its browser into a response."""
    attributes = session_attributes()
    response.set_cookie(session_cookie(), begun.session, **attributes)
    name = _SECURE_BROWSER if request.is_secure else _BROWSER
    response.set_cookie(name, begun.browser, max_age=_BROWSER_S, **attributes)


def _about_nobody(found: Any) -> AboutNobody | ApiError:
    return found if isinstance(found, ApiError) else AboutNobody(found)
