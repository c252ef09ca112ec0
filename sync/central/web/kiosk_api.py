"""The wire to the kiosks over HTTP: push, pull, enrol. Every refusal is a typed body; garbage is 400, never 5xx."""

import logging
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar

import msgspec
from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from sync.central.kiosks.enrolment import NotEnrolled, enrol
from sync.central.kiosks.pull import PullService
from sync.central.kiosks.push import PushService
from sync.central.kiosks.refusals import fenced
from sync.central.records.site import NoSite, read_site
from sync.central.records.tokens import Bearer
from sync.central.services.journey_service import JourneyService
from sync.central.store.errors import StaleJourney
from sync.central.web.http import admit
from sync.journey.model import Role
from sync.protocol import (
    MAX_BATCH_BYTES,
    CallRefused,
    EndCode,
    EnrolRequest,
    PullRequest,
    PushRequest,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

MAX_PUSH = MAX_BATCH_BYTES + 64 * 1024  # the actions, their hashes and the header
MAX_REQUEST = 64 * 1024
_BUSY_S = 1.0

STATUS: Mapping[EndCode, HTTPStatus] = {
    EndCode.GAP: HTTPStatus.CONFLICT,
    EndCode.FORK: HTTPStatus.CONFLICT,
    EndCode.FENCED: HTTPStatus.UNAUTHORIZED,
    EndCode.UNSUPPORTED_VERSION: HTTPStatus.BAD_REQUEST,
    EndCode.TRY_LATER: HTTPStatus.SERVICE_UNAVAILABLE,
    EndCode.MALFORMED: HTTPStatus.BAD_REQUEST,
}


def sync_api(service: JourneyService, most_waiting: int = 32) -> Blueprint:
    """The three routes of the wire. A kiosk's token reaches these alone. At most so many pulls wait at a time."""
    ingest = PushService(service.store, service.definitions, service.clock, service.ids)
    roster = PullService(service.store, service.definitions, service.clock, most_waiting)
    api = Blueprint("sync", __name__, url_prefix="/api/v1")

    @api.post("/sync/push")
    def push() -> Response:
        sender = _kiosk(service)
        message = sender if isinstance(sender, CallRefused) else _read(PushRequest, MAX_PUSH)
        if isinstance(sender, CallRefused) or isinstance(message, CallRefused):
            return _reply(message)
        return _reply(ingest.push(sender, message))

    @api.post("/sync/pull")
    def pull() -> Response:
        sender = _kiosk(service)
        message = sender if isinstance(sender, CallRefused) else _read(PullRequest, MAX_REQUEST)
        if isinstance(sender, CallRefused) or isinstance(message, CallRefused):
            return _reply(message)
        return _reply(roster.pull(sender, message))

    @api.post("/kiosks/enroll")
    def enroll() -> Response:
        message = _read(EnrolRequest, MAX_REQUEST)
        return _reply(message if isinstance(message, CallRefused) else _enrol(service, message))

    api.register_error_handler(HTTPException, _http_error)
    for breakage in (sqlite3.OperationalError, StaleJourney, NoSite):
        api.register_error_handler(breakage, _busy)
    return api


def _kiosk(service: JourneyService) -> str | CallRefused:
    """The kiosk that the bearer token stands for."""
    sender = admit(service, Role.KIOSK)
    return sender.kiosk_id if isinstance(sender, Bearer) and sender.kiosk_id else fenced()


def _read(message_type: type[T], limit: int) -> T | CallRefused:
    """The message in the request's body."""
    request.max_content_length = limit
    try:
        return msgspec.json.decode(request.get_data(cache=False), type=message_type)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # The parser's message could quote the body.
        return CallRefused(code=EndCode.MALFORMED, error="the body is no message of this protocol")


def _enrol(service: JourneyService, message: EnrolRequest) -> object:
    now_ms = service.clock()
    with service.store.write() as db:
        outcome = enrol(
            db, read_site(db), service.definitions, service.keys, message, request.remote_addr or "", now_ms
        )
    if not isinstance(outcome, NotEnrolled):
        return outcome
    code = EndCode.FENCED if outcome.retry_after_s is None else EndCode.TRY_LATER
    return CallRefused(code=code, error=outcome.error, retry_after_s=outcome.retry_after_s)


def _reply(answer: object) -> Response:
    if not isinstance(answer, CallRefused):
        return Response(msgspec.json.encode(answer), HTTPStatus.OK, mimetype="application/json")
    status = STATUS[answer.code]
    response = Response(msgspec.json.encode(answer), status, mimetype="application/json")
    if answer.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(answer.retry_after_s)))
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _http_error(error: HTTPException) -> Response:
    """What Flask itself refuses, a body that is too large above all."""
    refused = CallRefused(code=EndCode.MALFORMED, error=error.name.lower())
    return Response(msgspec.json.encode(refused), error.code or 400, mimetype="application/json")


def _busy(error: Exception) -> Response:
    log.warning("a kiosk is to try later: %s", error)
    return _reply(CallRefused(code=EndCode.TRY_LATER, error="the centre is busy; try later", retry_after_s=_BUSY_S))
