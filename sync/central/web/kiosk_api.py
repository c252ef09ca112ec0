"""The sync endpoints over HTTP: push, pull, look-up, desk card, enrol. Refusals are typed bodies; garbage is 400."""

import contextlib
import io
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Generic, TypeVar
from wsgiref.types import WSGIEnvironment

import msgspec
from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from sync.central.centre import Centre
from sync.central.kiosks.answering import Pulled
from sync.central.kiosks.desk_card import take_desk_card
from sync.central.kiosks.enrolment import enrol_kiosk
from sync.central.kiosks.lookup import look_up
from sync.central.kiosks.pull import MOST_WAITING, PullService
from sync.central.kiosks.push import holds_nul_beside_bodies, receive_batch
from sync.central.kiosks.refusals import about_token, report_refusal, unsupported
from sync.central.kiosks.renewal import refuse_stranger, renew_token
from sync.central.kiosks.telling import telling_of
from sync.central.network.headers import JSON
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.site import NoSite
from sync.central.records.tokens import Bearer, hash_of, id_of
from sync.central.services.authentication import authenticate, expected
from sync.central.services.door import let_out, let_out_in_two, publish, say, seal
from sync.central.services.errors import ApiError
from sync.central.services.once import BearerChanged
from sync.central.services.refused_access import note_refusal
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody
from sync.central.store.errors import StaleJourney, trouble_in_words
from sync.central.web.contract import Contracts
from sync.central.web.http import INTERNAL, MAX_BODY, respond
from sync.central.web.kiosk_contracts import DESK_CARD, ENROL, LOOKUP, PULL, PUSH, STATUS, TOKEN
from sync.central.web.later import Deliver, Later, LateResponse, beside_flask, late, respond_later, take_over
from sync.central.web.senders import header_token, token_of
from sync.journey.model import Actor, Role
from sync.logs import Serving, served_request
from sync.protocol import (
    MAX_BATCH_BYTES,
    SUPPORTED_VERSIONS,
    CallRefused,
    DeskCardRequest,
    EndCode,
    EnrolRequest,
    LookupRequest,
    PullRequest,
    PushRequest,
    RequestVersion,
    TokenRequest,
)
from sync.text import holds_nul

log = logging.getLogger(__name__)
T = TypeVar("T")
Wait = Callable[[str, T, Callable[[object], None], str], Callable[[], None]]

MAX_PUSH = MAX_BATCH_BYTES + MAX_BODY  # the actions, their hashes and the header
_BUSY_S = 1.0
_PAGE_HEADERS = [("Content-Type", JSON)]
_OTHER_KIOSK = frozenset({EndCode.ENDED, EndCode.NOT_KNOWN})  # to a valid token: the call names another kiosk
_BREAKAGES = (sqlite3.OperationalError, StaleJourney)
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


def add_kiosk_api(
    app: Flask,
    centre: Centre,
    most_waiting: int = MOST_WAITING,
    versions: frozenset[int] = SUPPORTED_VERSIONS,
    contracts: Contracts | None = None,
) -> None:
    """Adds the six routes of the wire. A kiosk's token is valid for these routes alone.

    At most `most_waiting` pulls wait at a time. `versions` are the protocol versions that this centre speaks. What the
    routes take and tell goes into `contracts`.
    """
    contracts = contracts or Contracts()
    pulls = PullService(centre, most_waiting, versions=versions)
    calls = _Calls(centre, versions)
    app.register_blueprint(_routes(centre, calls, pulls, versions, contracts))
    usual = partial(calls.take_usual, "pull", PullRequest, MAX_BODY, pulls.wait)
    app.wsgi_app = beside_flask(app.wsgi_app, "/api/v1/sync/pull", usual)  # type: ignore[method-assign, assignment]


def _routes(
    centre: Centre, calls: "_Calls", pulls: PullService, versions: frozenset[int], contracts: Contracts
) -> Blueprint:
    api = Blueprint("kiosk", __name__, url_prefix="/api/v1")

    @api.post("/sync/push")
    def push() -> Response:
        return calls.answer("push", PushRequest, MAX_PUSH, partial(receive_batch, centre, versions=versions))

    @api.post("/sync/pull")
    def pull() -> Response:
        return calls.answer_later("pull", PullRequest, MAX_BODY, pulls.wait)

    @api.post("/sync/lookup")
    def lookup() -> Response:
        answer = partial(look_up, centre, address=request.remote_addr, versions=versions)
        return calls.answer("lookup", LookupRequest, MAX_BODY, answer)

    desk_card = _desk_card_view(centre, calls, versions)
    api.add_url_rule("/sync/card", "desk_card", desk_card, methods=["POST"])

    @api.post("/kiosks/token")
    def token() -> Response:
        answer = partial(renew_token, centre, hash_of(header_token() or ""), versions=versions)
        return calls.answer("token", TokenRequest, MAX_BODY, answer)

    @api.post("/kiosks/enroll")
    def enroll() -> Response:
        message = _read(EnrolRequest, MAX_BODY)
        if isinstance(message, CallRefused):
            return _refuse(message)
        made = enrol_kiosk(centre, message, request.remote_addr or "")
        if isinstance(made, CallRefused):
            return _refuse(made)
        body = publish(AboutNobody(made))
        return respond(HTTPStatus.OK, seal(body) if message.sealed else body)

    for view, contract in (
        (push, PUSH),
        (pull, PULL),
        (lookup, LOOKUP),
        (desk_card, DESK_CARD),
        (token, TOKEN),
        (enroll, ENROL),
    ):
        contracts.add(view, contract)
    api.register_error_handler(HTTPException, _http_error)
    for breakage in _BREAKAGES:
        api.register_error_handler(breakage, _busy)
    api.register_error_handler(NoSite, _no_site)
    return api


def _desk_card_view(centre: Centre, calls: "_Calls", versions: frozenset[int]) -> Callable[[], Response]:
    def desk_card() -> Response:
        return calls.answer("card", DeskCardRequest, MAX_BODY, partial(take_desk_card, centre, versions=versions))

    return desk_card


class _Calls:
    """The calls of kiosks to one centre."""

    def __init__(self, centre: Centre, versions: frozenset[int]) -> None:
        self._centre = centre
        self._versions = versions

    def answer(self, call: str, message_type: type[T], limit: int, answer: Callable[[str, T], object]) -> Response:
        """The response to a call: that of `answer` to its message where kiosk and message are in order.

        `call` is its name, for staff.
        """
        received = self._receive(call, message_type, limit)
        if isinstance(received, Response):
            return received
        return self._respond(received, answer(received.kiosk_id, received.message))

    def answer_later(self, call: str, message_type: type[T], limit: int, wait: Wait[T]) -> Response:
        """As `answer`, for a call that may wait: `wait` gets the function that takes its answer, at any time."""
        received = self._receive(call, message_type, limit)
        if isinstance(received, Response):
            return received
        return respond_later(request.environ, partial(self._park, received, wait))

    def take_usual(
        self, call: str, message_type: type[T], limit: int, wait: Wait[T], environ: WSGIEnvironment, later: Later
    ) -> bool:
        """As `answer_later`, without Flask, for a call of a known kiosk that is in order. False for any other call.

        `wait` confirms that the token is valid.
        """
        token = token_of(environ)
        sender = expected(self._centre, token, (Role.KIOSK,))
        if sender is None or sender.kiosk_id is None or int(environ["CONTENT_LENGTH"]) > limit:
            return False
        body = environ["wsgi.input"].read()
        try:
            message = _decode(body, message_type)
        except _UNREADABLE:
            environ["wsgi.input"] = io.BytesIO(body)
            return False
        received = _Received(call, sender, sender.kiosk_id, message, environ["REMOTE_ADDR"], token)
        take_over(environ, later, partial(self._park, received, wait))
        return True

    def _park(self, received: "_Received[T]", wait: Wait[T], deliver: Deliver) -> Callable[[], None]:
        request_id = served_request()

        def end(found: object) -> None:
            with Serving(request_id):
                deliver(self._end(received, found))

        # A token that the database has just named needs no second confirmation.
        unconfirmed = received.sender.token_hash if received.unconfirmed else ""
        return wait(received.kiosk_id, received.message, end, unconfirmed)

    def _receive(self, call: str, message_type: type[T], limit: int) -> "_Received[T] | Response":
        """The message of a call with its sender; the refusal where one of them is not in order."""
        token, address = header_token(), request.remote_addr
        sender = authenticate(self._centre, token, (Role.KIOSK,), address)
        with _reporting_a_large_body(self._centre, sender, call):
            message = _read(message_type, limit, self._versions)
        if isinstance(sender, ApiError) or sender.kiosk_id is None:
            return _refuse(refuse_stranger(self._centre, getattr(message, "site_id", None), token))
        if isinstance(message, CallRefused):
            report_refusal(self._centre, sender.kiosk_id, call, message)
            return _refuse(message)
        return _Received(call, sender, sender.kiosk_id, message, address)

    def _respond(self, received: "_Received[T]", found: object) -> Response:
        """The response with an answer or a refusal, noted before it leaves."""
        if isinstance(found, CallRefused):
            report_refusal(self._centre, received.kiosk_id, received.call, found)
            self._note(received, found)
            return _refuse(about_token(found, received.sender.token_hash))
        body = let_out(self._centre, _requester(received), telling_of(found))
        return respond(HTTPStatus.OK, seal(body) if getattr(received.message, "sealed", False) else body)

    def _let_out(self, received: "_Received[T]", page: Pulled) -> LateResponse:
        kiosk = _requester(received)
        return LateResponse(HTTPStatus.OK, _PAGE_HEADERS, *let_out_in_two(self._centre, kiosk, telling_of(page)))

    def _end(self, received: "_Received[T]", found: object) -> LateResponse:
        """As `_respond`, outside of a request. Raises nothing: an error is a response."""
        try:
            if isinstance(found, Pulled) and not getattr(received.message, "sealed", False):
                return self._let_out(received, found)
            if isinstance(found, BearerChanged):
                return late(self._refuse_changed(received))
            if isinstance(found, Exception):
                return late(_failed(received.call, found))
            return late(self._respond(received, found))
        except Exception as error:  # noqa: BLE001 - logged below
            return late(_failed(received.call, error))

    def _refuse_changed(self, received: "_Received[T]") -> Response:
        """The response to a call whose token is no longer what it was expected to be."""
        self._centre.bearers.forget(received.sender.token_hash)
        sender = authenticate(self._centre, received.unconfirmed, (Role.KIOSK,), received.address)
        if isinstance(sender, ApiError):
            site_id = getattr(received.message, "site_id", None)
            return _refuse(refuse_stranger(self._centre, site_id, received.unconfirmed))
        return _refuse(CallRefused(code=EndCode.TRY_LATER, error="the token has changed", retry_after_s=_BUSY_S))

    def _note(self, received: "_Received[T]", refused: CallRefused) -> None:
        if refused.code in _OTHER_KIOSK:
            sender, token_id = received.sender, id_of(received.sender.token_hash)
            note_refusal(self._centre, AuditKind.REFUSED_KIOSK, received.address, sender.who, token_id)


@dataclass(frozen=True, slots=True)
class _Received(Generic[T]):
    """A call in order: its name, the bearer of its token with the kiosk, its message, and the network address.

    `unconfirmed` is the token where the database has not named its bearer for this call.
    """

    call: str
    sender: Bearer
    kiosk_id: str
    message: T
    address: str | None
    unconfirmed: str | None = None


def _requester(received: _Received[T]) -> Requester:
    return Requester(Actor(Role.KIOSK), received.kiosk_id, "kiosk", received.address)


def _read(message_type: type[T], limit: int, versions: Collection[int] = ()) -> T | CallRefused:
    """The message in the request's body. A message of another version than `versions` may have any other form."""
    request.max_content_length = limit
    body = request.get_data(cache=False)
    try:
        return _decode(body, message_type)
    except _UNREADABLE:
        if versions and _version(body) not in (None, *versions):
            return unsupported(versions)
        # The parser's message could quote the body.
        return CallRefused(code=EndCode.MALFORMED, error="the body is no message of this protocol")


def _decode(body: bytes, message_type: type[T]) -> T:
    """The message in a body. Raises one of _UNREADABLE, also where it holds U+0000 outside of the bodies of actions.

    An action that holds it is refused alone, so that the kiosk is rid of it.
    """
    message = msgspec.json.decode(body, type=message_type)
    if holds_nul(body) and holds_nul_beside_bodies(message):
        raise UnicodeError("a text holds U+0000")
    return message


@contextlib.contextmanager
def _reporting_a_large_body(centre: Centre, sender: Bearer | ApiError, call: str) -> Iterator[None]:
    """Tells staff of a kiosk's call whose body is too large. Flask answers it."""
    try:
        yield
    except RequestEntityTooLarge as error:
        if not isinstance(sender, ApiError) and sender.kiosk_id is not None:
            report_refusal(centre, sender.kiosk_id, call, _refused_by_flask(error))
        raise


def _version(body: bytes) -> int | None:
    """The version of the protocol that a body names; None where it names none."""
    try:
        return msgspec.json.decode(body, type=RequestVersion).protocol_version
    except _UNREADABLE:
        return None


def _refuse(refused: CallRefused) -> Response:
    response = respond(STATUS[refused.code], publish(AboutNobody(refused)))
    response.headers.pop("Retry-After", None)
    if refused.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(refused.retry_after_s)))
    return response


def _http_error(error: HTTPException) -> Response:
    """A refusal by Flask itself, mostly of a body that is too large."""
    return respond(error.code or 400, publish(AboutNobody(_refused_by_flask(error))))


def _refused_by_flask(error: HTTPException) -> CallRefused:
    return CallRefused(code=EndCode.MALFORMED, error=error.name.lower())


def _failed(call: str, error: Exception) -> Response:
    """The response to a call that met an error outside of its request."""
    if isinstance(error, NoSite):
        return _no_site(error)
    if isinstance(error, _BREAKAGES):
        return _busy(error)
    log.error("a %s failed", call, exc_info=error)
    return respond(HTTPStatus.INTERNAL_SERVER_ERROR, say(INTERNAL))


def _no_site(error: Exception) -> Response:
    return _refuse(CallRefused(code=EndCode.NO_SITE, error=str(error)))


def _busy(error: Exception) -> Response:
    log.warning("a kiosk is to try later: %s", error)
    return _refuse(CallRefused(code=EndCode.TRY_LATER, error=trouble_in_words(error), retry_after_s=_BUSY_S))
