"""Signing in, with a password or a one-time code, for the pages of staff. The session is in a cookie.

A sign-in needs no token, so it is taken from a page of the centre alone: a page of another site can sign nobody in.
"""

from typing import TypeVar

import msgspec
from flask import Blueprint, Response, request

from sync.central.centre import Centre
from sync.central.network.bearer import session_in
from sync.central.network.web_settings import WebSettings
from sync.central.services.account_codes import CheckCode, CodeIsFor, UseCode, check_code, use_code
from sync.central.services.bodies import read_members
from sync.central.services.door import publish
from sync.central.services.errors import NO_OBJECT, ApiError
from sync.central.services.passwords import Passwords
from sync.central.services.sign_in import Begun, SignedIn, SignIn, Visitor, sign_in_by_password
from sync.central.services.sign_in_lock import TooMany
from sync.central.services.told import AboutNobody
from sync.central.web.contract import Contract
from sync.central.web.endpoints import Endpoints
from sync.central.web.http import read_json, respond, respond_error
from sync.central.web.origins import FOREIGN_ORIGIN, Origins
from sync.central.web.senders import cookie_session, is_in_clear, session_attributes, session_cookie

_BROWSER, _SECURE_BROWSER = "nk_browser", "__Host-nk_browser"
_BROWSER_S = 90 * 24 * 3600
T = TypeVar("T", bound=msgspec.Struct)
_IN_CLEAR = ApiError("https_only", "A password is taken over https alone, or on the centre's own machine.")
_OF_A_CODE = ("code_unknown", "too_many_tries", "foreign_origin")
OF_A_PASSWORD = ("wrong_password", "too_many_tries", "foreign_origin")
_SIGN_IN = Contract("Sign in with a password", SignedIn, body=SignIn, refuses=("account_disabled", *OF_A_PASSWORD))
_CHECK = Contract("Ask what a code is for", CodeIsFor, body=CheckCode, refuses=_OF_A_CODE)
_USE = Contract(
    "Make an account, or choose a password, by a code",
    SignedIn,
    body=UseCode,
    refuses=("weak_password", "login_taken", "account_disabled", *_OF_A_CODE),
)


def sign_in_api(
    centre: Centre, endpoints: Endpoints, origins: Origins, passwords: Passwords, web: WebSettings
) -> Blueprint:
    """The routes of signing in, which need no token."""
    api = Blueprint("people", __name__, url_prefix="/api/v1")

    @api.post("/sign-in/")
    @endpoints.documented(_SIGN_IN)
    def sign_in() -> Response:
        wanted = read_secret(SignIn, origins, web)
        if isinstance(wanted, ApiError):
            return respond_error(wanted)
        return signed_in(sign_in_by_password(centre, passwords, wanted, visitor()))

    @api.post("/welcome/check/")
    @endpoints.documented(_CHECK)
    def check() -> Response:
        wanted = read_secret(CheckCode, origins, web)
        if isinstance(wanted, ApiError):
            return respond_error(wanted)
        found = check_code(centre, wanted, visitor())
        return respond(200, publish(AboutNobody(found))) if isinstance(found, CodeIsFor) else signed_in(found)

    @api.post("/welcome/")
    @endpoints.documented(_USE)
    def welcome() -> Response:
        wanted = read_secret(UseCode, origins, web)
        if isinstance(wanted, ApiError):
            return respond_error(wanted)
        return signed_in(use_code(centre, passwords, wanted, visitor()))

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
    browser = session_in(request.headers.get("Cookie", ""), name)
    return Visitor(request.remote_addr, browser, cookie_session())


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
