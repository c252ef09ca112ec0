"""Sessions of browsers: a page exchanges its token for a cookie, with which its script can open the socket.

That cookie counts for the socket and for the end of the session alone. Any other request needs the token, so a page
that nobody allowed can make no browser act with a cookie (CSRF). The cookie of a person who has signed in
(`sign_in_api.py`) opens more, and ends here too.
"""

from flask import Blueprint, Response, request

from sync.central.centre import Centre
from sync.central.services.authentication import authenticate
from sync.central.services.door import publish
from sync.central.services.errors import ApiError
from sync.central.services.sessions import BegunSession, EndedSession, begin, end
from sync.central.services.told import AboutNobody
from sync.central.web.contract import Contract
from sync.central.web.endpoints import Endpoints
from sync.central.web.http import respond, respond_error
from sync.central.web.origins import FOREIGN_ORIGIN, Origins
from sync.central.web.senders import cookie_session, header_token, session_attributes, session_cookie
from sync.journey.model import Role

_PEOPLE = (Role.PATIENT, Role.STAFF)
_NO_SESSION = ApiError("unauthorized", "There is no cookie of a session.")
_BEGIN = Contract("Exchange the token for the cookie of a session", BegunSession, _PEOPLE)
_END = Contract(
    "End the session of the cookie", EndedSession, by_cookie=True, refuses=("unauthorized", "foreign_origin")
)


def session_api(centre: Centre, endpoints: Endpoints, origins: Origins) -> Blueprint:
    """The routes of sessions under /api/v1/."""
    api = Blueprint("session", __name__, url_prefix="/api/v1")

    @api.post("/session/")
    @endpoints.documented(_BEGIN)
    def begin_session() -> Response:
        sender = authenticate(centre, header_token(), _PEOPLE, request.remote_addr)
        if isinstance(sender, ApiError):
            return respond_error(sender)
        session, answer = begin(centre, sender)
        response = respond(200, publish(AboutNobody(answer)))
        response.set_cookie(session_cookie(), session, **session_attributes())
        return response

    @api.delete("/session/")
    @endpoints.documented(_END)
    def end_session() -> Response:
        if not origins.may_use_cookie(request.environ):
            return respond_error(FOREIGN_ORIGIN)
        session = cookie_session()
        if session is None:
            return respond_error(_NO_SESSION)
        response = respond(200, publish(AboutNobody(end(centre, session, request.remote_addr))))
        response.delete_cookie(session_cookie(), **session_attributes())
        return response

    return api
