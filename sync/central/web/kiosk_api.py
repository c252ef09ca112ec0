"""The sync endpoints over HTTP: push, pull, look-up, enrol. Each refusal is a typed body; garbage is 400, never 5xx."""

import base64
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import msgspec
from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from sync.central.centre import Centre
from sync.central.kiosks.enrolment import enrol_kiosk
from sync.central.kiosks.lookup import look_up
from sync.central.kiosks.pull import MAX_POLLS, PullService
from sync.central.kiosks.push import receive_batch
from sync.central.kiosks.refusals import stranger, unsupported
from sync.central.records.site import NoSite
from sync.central.services.authentication import authenticate
from sync.central.services.errors import ApiError
from sync.central.store.errors import StaleJourney, trouble_in_words
from sync.central.web.http import JSON, MAX_BODY
from sync.central.web.senders import header_token
from sync.journey.model import Role
from sync.protocol import (
    MAX_BATCH_BYTES,
    SUPPORTED_VERSIONS,
    CallRefused,
    EndCode,
    EnrolRequest,
    LookupRequest,
    PullRequest,
    PushRequest,
    RequestVersion,
    Sealed,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

MAX_PUSH = MAX_BATCH_BYTES + MAX_BODY  # the actions, their hashes and the header
_BUSY_S = 1.0
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)

STATUS: Mapping[EndCode, HTTPStatus] = {
    EndCode.GAP: HTTPStatus.CONFLICT,
    EndCode.FORK: HTTPStatus.CONFLICT,
    EndCode.ENDED: HTTPStatus.UNAUTHORIZED,
    EndCode.NOT_KNOWN: HTTPStatus.UNAUTHORIZED,
    EndCode.BAD_CURSOR: HTTPStatus.CONFLICT,
    EndCode.NO_SITE: HTTPStatus.SERVICE_UNAVAILABLE,
    EndCode.OTHER_SITE: HTTPStatus.CONFLICT,
    EndCode.UNSUPPORTED_VERSION: HTTPStatus.BAD_REQUEST,
    EndCode.TRY_LATER: HTTPStatus.SERVICE_UNAVAILABLE,
    EndCode.MALFORMED: HTTPStatus.BAD_REQUEST,
}


def kiosk_api(
    centre: Centre, most_waiting: int = MAX_POLLS, versions: frozenset[int] = SUPPORTED_VERSIONS
) -> Blueprint:
    """The four routes of the wire. A kiosk's token is valid for these routes alone.

    At most `most_waiting` pulls wait at a time. `versions` are the protocol versions that this centre speaks.
    """
    pulls = PullService(centre, most_waiting, versions=versions)
    api = Blueprint("kiosk", __name__, url_prefix="/api/v1")

    def for_kiosks(message_type: type[T], limit: int, answer: Callable[[str, T], object]) -> Response:
        token = header_token()
        sender = authenticate(centre, token, (Role.KIOSK,))
        message = _read(message_type, limit, versions)
        if isinstance(sender, ApiError) or sender.kiosk_id is None:
            with centre.store.read() as db:
                return _reply(stranger(db, getattr(message, "site_id", None), token))
        if isinstance(message, CallRefused):
            return _reply(message)
        return _reply(answer(sender.kiosk_id, message), sealed=getattr(message, "sealed", False))

    @api.post("/sync/push")
    def push() -> Response:
        return for_kiosks(PushRequest, MAX_PUSH, partial(receive_batch, centre, versions=versions))

    @api.post("/sync/pull")
    def pull() -> Response:
        return for_kiosks(PullRequest, MAX_BODY, pulls.pull)

    @api.post("/sync/lookup")
    def lookup() -> Response:
        answer = partial(look_up, centre, address=request.remote_addr, versions=versions)
        return for_kiosks(LookupRequest, MAX_BODY, answer)

    @api.post("/kiosks/enroll")
    def enroll() -> Response:
        message = _read(EnrolRequest, MAX_BODY)
        if not isinstance(message, CallRefused):
            return _reply(enrol_kiosk(centre, message, request.remote_addr or ""), sealed=message.sealed)
        return _reply(message)

    api.register_error_handler(HTTPException, _http_error)
    for breakage in (sqlite3.OperationalError, StaleJourney):
        api.register_error_handler(breakage, _busy)
    api.register_error_handler(NoSite, lambda error: _reply(CallRefused(code=EndCode.NO_SITE, error=str(error))))
    return api


def _read(message_type: type[T], limit: int, versions: Collection[int] = ()) -> T | CallRefused:
    """The message in the request's body. A message of another version than `versions` may have any other form."""
    request.max_content_length = limit
    body = request.get_data(cache=False)
    try:
        return msgspec.json.decode(body, type=message_type)
    except _UNREADABLE:
        if versions and _version(body) not in (None, *versions):
            return unsupported(versions)
        # The parser's message could quote the body.
        return CallRefused(code=EndCode.MALFORMED, error="the body is no message of this protocol")


def _version(body: bytes) -> int | None:
    """The version of the protocol that a body names; None where it names none."""
    try:
        return msgspec.json.decode(body, type=RequestVersion).protocol_version
    except _UNREADABLE:
        return None


def _reply(answer: object, *, sealed: bool = False) -> Response:
    if not isinstance(answer, CallRefused):
        body = msgspec.json.encode(answer)
        if sealed:
            body = msgspec.json.encode(Sealed(base64.b64encode(body).decode()))
        return Response(body, HTTPStatus.OK, content_type=JSON)
    status = STATUS[answer.code]
    response = Response(msgspec.json.encode(answer), status, content_type=JSON)
    if answer.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(answer.retry_after_s)))
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _http_error(error: HTTPException) -> Response:
    """A refusal by Flask itself, mostly of a body that is too large."""
    refused = CallRefused(code=EndCode.MALFORMED, error=error.name.lower())
    return Response(msgspec.json.encode(refused), error.code or 400, content_type=JSON)


def _busy(error: Exception) -> Response:
    log.warning("a kiosk is to try later: %s", error)
    return _reply(CallRefused(code=EndCode.TRY_LATER, error=trouble_in_words(error), retry_after_s=_BUSY_S))
