"""A person's own account, for the page of it: who is signed in, the sessions, and another password."""

from typing import Any

from flask import Blueprint, Response, request

from sync.central.centre import Centre
from sync.central.network.web_settings import WebSettings
from sync.central.records.duties import ANY_DUTY
from sync.central.records.tokens import Bearer
from sync.central.services.errors import ApiError
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
from sync.central.services.sign_in import SignedIn
from sync.central.services.told import AboutNobody
from sync.central.web.contract import Contract
from sync.central.web.endpoints import Endpoints
from sync.central.web.http import respond_error
from sync.central.web.origins import Origins
from sync.central.web.senders import sender_of
from sync.central.web.sign_in_api import OF_A_PASSWORD, read_secret, signed_in, visitor
from sync.journey.model import Role

_CHANGE = Contract(
    "Choose another password",
    SignedIn,
    (Role.STAFF,),
    body=ChangePassword,
    refuses=("weak_password", "not_applicable", *OF_A_PASSWORD),
    duties=ANY_DUTY,
    of_pages=True,
)


def own_account_api(
    centre: Centre, endpoints: Endpoints, origins: Origins, passwords: Passwords, web: WebSettings
) -> Blueprint:
    """The routes under /api/v1/me/, which any duty opens."""
    api = Blueprint("me", __name__, url_prefix="/api/v1")

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
        return _about_nobody(end_own_session(centre, sender, session_id, request.remote_addr))

    return api


def _about_nobody(found: Any) -> AboutNobody | ApiError:
    return found if isinstance(found, ApiError) else AboutNobody(found)
