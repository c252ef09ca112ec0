"""The patient's WebSocket: the whole state on connect and after every change, and actions as over REST.

A conversation does one thing at a time, and holds no thread in between. Several changes become one message, with the
newest state. Answers to actions are sent in turn and never dropped.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Any, cast

import msgspec
from flask import Flask, Response, request
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer, refused
from sync.central.services.authentication import authenticate, refresh, subject_of
from sync.central.services.current_state import CurrentState, read_current_state
from sync.central.services.door import let_out
from sync.central.services.errors import MISSING_PATIENT_ID, ApiError, ErrorBody, error_body, nested_too_deep
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.services.told import AboutNobody, Telling, Told, told_of
from sync.central.store.errors import trouble_in_words
from sync.central.store.news import Missed, NewsItem, PatientChanged
from sync.central.web.asyncapi import PATH
from sync.central.web.endpoints import requester_of
from sync.central.web.http import decode, no_response, respond_error
from sync.central.web.origins import FOREIGN_ORIGIN, Origins
from sync.central.web.patient_api import perform_for
from sync.central.web.senders import socket_sender
from sync.central.web.socket_messages import (
    ActionDone,
    ActionRefused,
    ErrorMessage,
    InitialState,
    Pong,
    Renewed,
    StateUpdate,
    UpdatedState,
)
from sync.central.web.socket_offer import Conversation, OpenSocket, offer_of, subprotocol_of
from sync.central.web.socket_places import SocketPlaces
from sync.journey.model import Role

log = logging.getLogger(__name__)

_CHECK_EVERY_S = 30.0  # a clock that was set is noticed within this time
_STATE = "state"  # of the messages of which the newest is enough
_ROLES = (Role.PATIENT, Role.VISIT, Role.STAFF)
# Close codes for private use (RFC 6455, 7.4.2), by the code of the error: 4000 and the HTTP status.
_CLOSE_CODES = {"unauthorized": 4401, "visit_ended": 4401, "forbidden": 4403, "visit_unknown": 4404}
_NO_LONGER_VALID = ApiError("unauthorized", "the token is no longer valid")
_OTHER_BEARER = ApiError("forbidden", "The token is of another bearer than the socket's.")
_UNKNOWN_COMMAND = ApiError("unknown_command", "The message names no known command.")
_FULL = ApiError("busy", "Too many sockets are open; use plain requests for now.")
_NO_HANDSHAKE = ApiError("malformed", "This is no WebSocket handshake.")


def add_patient_socket(app: Flask, centre: Centre, places: SocketPlaces, origins: Origins) -> None:
    """Adds the socket to an app. A page of another site is refused before the handshake (RFC 6455, 10.2)."""

    @app.route(PATH, websocket=True)
    def open_socket() -> Response:
        offer = offer_of(request.environ)
        if offer is None:
            return respond_error(_NO_HANDSHAKE)
        sender, session_hash = socket_sender(centre, origins, _ROLES)
        if sender is FOREIGN_ORIGIN:
            return respond_error(FOREIGN_ORIGIN)
        named = request.args.get("patient_id")
        subject = sender if isinstance(sender, ApiError) else subject_of(centre, sender, named)
        found = _conversation(offer.socket, sender, session_hash, subject)
        if isinstance(found, ApiError):
            return respond_error(found)
        offer.accept(found, subprotocol_of(request.environ, "bearer"))
        return no_response()

    def _conversation(
        socket: OpenSocket, sender: Bearer | ApiError, session_hash: str | None, subject: str | ApiError | None
    ) -> Conversation | ApiError:
        # Only a close code reaches a browser's script; the status of a refused handshake does not.
        if isinstance(sender, ApiError):
            return _Refused(socket, sender)
        if isinstance(subject, ApiError):
            return _Refused(socket, subject)
        leave = places.take(sender.token_hash)
        return _FULL if leave is None else _Conversation(centre, socket, sender, session_hash, subject, leave)


class _Refused:
    """A socket that is closed at once, since its token is not valid for it."""

    def __init__(self, socket: OpenSocket, error: ApiError) -> None:
        self._socket = socket
        self._error = error

    def opened(self) -> None:
        """Says why."""
        _refuse(self._socket, self._error)

    def received(self, text: bytes) -> None:
        """Is not answered."""

    def woken(self) -> None:
        """Does not happen."""

    def ended(self) -> None:
        """Holds nothing."""


def _refuse(socket: OpenSocket, error: ApiError) -> None:
    socket.close(_CLOSE_CODES[error.code], error.code)


class _News:
    """The newest change since it was last taken. Safe from any thread.

    It is plain where all news since then were actions with their states. Other news may tell of a token that has ended
    or of a merged record, and a wake without news of time that has passed.

    Two actions that share a commit are announced by two threads, so an earlier change may come after a later one. It is
    left out: the later state has it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._change: PatientChanged | None = None
        self._newest = 0
        self._is_plain = True

    def put(self, item: NewsItem) -> None:
        """Keeps a change, and whether it is plain."""
        with self._lock:
            self._is_plain &= isinstance(item, PatientChanged) and item.state is not None
            if isinstance(item, PatientChanged) and item.number >= self._newest:
                self._change, self._newest = item, item.number

    def take(self) -> tuple[PatientChanged | None, bool]:
        """Removes and returns the newest change, and whether the news were plain."""
        with self._lock:
            change, is_plain = self._change, self._is_plain
            self._change, self._is_plain = None, True
        return change, is_plain and change is not None


class _Conversation:
    """One socket of one sender, about one patient. Staff may name others in their commands."""

    def __init__(
        self,
        centre: Centre,
        socket: OpenSocket,
        sender: Bearer,
        session_hash: str | None,
        subject: str | None,
        leave: Callable[[], None],
    ) -> None:
        self._centre = centre
        self._socket = socket
        self._sender = sender
        self._session_hash = session_hash
        self._requester = requester_of(sender, "websocket")
        self._subject = subject
        self._leave = leave
        self._listening = ExitStack()
        self._news = _News()

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the news that concern the socket: its token, its session, and its patient."""
        return (self._sender.token_hash, *filter(None, (self._session_hash, self._subject)))

    def opened(self) -> None:
        """Listens, and tells the whole state."""
        self._listen()
        self._socket.wake_within(self._patience_s())
        if self._subject is not None:
            self._send_state(self._subject)

    def received(self, text: bytes) -> None:
        """Answers a message. Its sender's token is checked first."""
        if self._is_valid():
            self._answer(decode(text))

    def woken(self) -> None:
        """Tells the newest change. Whatever may have ended the token or moved the patient is looked at first."""
        change, is_plain = self._news.take()
        # Any action may end a visit, and with it the token.
        is_plain &= self._sender.role is not Role.VISIT
        if not (is_plain and self._has_time()) and not self._is_valid():
            return
        self._socket.wake_within(self._patience_s())
        if change is not None:
            self._send_update(change)

    def ended(self) -> None:
        """Hears of no more news, and gives its place back."""
        self._listening.close()
        self._leave()

    def _listen(self) -> None:
        for topic in self.topics:
            self._listening.enter_context(self._centre.store.news.listen(topic, self._take_news))

    def _take_news(self, item: NewsItem) -> None:
        if isinstance(item, Missed) and self._subject is not None:
            item = PatientChanged(item.number, self._subject)
        self._news.put(item)
        self._socket.wake()

    def _is_valid(self) -> bool:
        """Whether the token is still valid; the socket is closed where it is not. Follows merges of records."""
        topics = self.topics
        if not self._refresh():
            _refuse(self._socket, _NO_LONGER_VALID)
            return False
        if self.topics != topics:
            self._listening.close()
            self.opened()
        return True

    def _has_time(self) -> bool:
        """Whether the token has not expired."""
        return self._sender.expires_ms is None or self._centre.clock() < self._sender.expires_ms

    def _patience_s(self) -> float:
        """When the token is checked next: when it expires, at the latest."""
        expires_ms = self._sender.expires_ms
        left_s = _CHECK_EVERY_S if expires_ms is None else (expires_ms - self._centre.clock()) / 1000
        return min(_CHECK_EVERY_S, max(left_s, 0.0))

    def _refresh(self) -> bool:
        """Follows merges of records; False where the token is no longer valid."""
        sender, self._subject = refresh(self._centre, self._sender, self._subject, self._session_hash)
        self._sender = sender or self._sender
        return sender is not None

    def _answer(self, document: Any) -> None:
        if isinstance(document, ApiError):
            self._send_error(document)
            return
        name = document.get("command") if isinstance(document, dict) else None
        command = COMMANDS.get(name) if isinstance(name, str) else None
        if command is None:
            self._send_error(_UNKNOWN_COMMAND)
        else:
            command(self, document)

    def pong(self, _: dict[str, Any]) -> None:
        """Answers a ping."""
        self._send(AboutNobody(Pong()))

    def fetch(self, document: dict[str, Any]) -> None:
        """Answers with the state of the patient whom a command names, or of the socket's own."""
        named = document.get("patient_id")
        subject = subject_of(self._centre, self._sender, named if isinstance(named, str) else self._subject)
        if isinstance(subject, str):
            self._send_state(subject)
        else:
            self._send_error(subject or MISSING_PATIENT_ID)

    def perform(self, document: dict[str, Any]) -> None:
        """Does an action, and answers with its result."""
        action_id = document.get("action_id")
        try:
            wanted = read_action_request(document, self._centre.keys, self._centre.ids)
            if isinstance(wanted, ActionRequest):
                action_id = wanted.action_id
            answer = perform_for(self._centre, self._sender, self._requester, wanted, self._subject)
        except RecursionError:
            answer = refused(nested_too_deep("message"))
        except sqlite3.OperationalError as error:
            log.warning("an action met a busy or failing database: %s", error)
            answer = refused(ApiError("busy", f"{trouble_in_words(error)}."))
        self._send_result(answer, action_id)

    def renew(self, document: dict[str, Any]) -> None:
        """Goes on with a newer token of the same bearer, whose first use this may be."""
        token = document.get("token")
        found = authenticate(self._centre, token if isinstance(token, str) else None, _ROLES, self._requester.address)
        if isinstance(found, Bearer) and _whose(found) != _whose(self._sender):
            found = _OTHER_BEARER
        if isinstance(found, ApiError):
            self._send_error(found)
            return
        self._listening.close()
        self._sender, self._session_hash = found, None
        self._requester = replace(self._requester, who=found.who)
        self._listen()
        self._socket.wake_within(self._patience_s())
        self._send(AboutNobody(Renewed()))

    def _send_state(self, subject: str) -> None:
        told = self._read_state(subject)
        if isinstance(told, ApiError):
            self._send_error(told)
        else:
            self._send(told.within(lambda state: InitialState(cast(CurrentState, state))))

    def _send_update(self, change: PatientChanged) -> None:
        if change.state is not None and change.seen_by == self._requester.actor.role:
            told: Told | ApiError = told_of(change.state, AuditKind.LOOK_SOCKET, (change.patient_id,))
        else:
            told = self._read_state(change.patient_id)
        if not isinstance(told, ApiError):
            self._send(told.within(lambda state: _update(state, change)), _STATE)

    def _read_state(self, patient_id: str) -> Told | ApiError:
        told = read_current_state(self._centre, self._requester.actor, patient_id)
        return told if isinstance(told, ApiError) else replace(told, kind=AuditKind.LOOK_SOCKET)

    def _send_result(self, answer: Answer, action_id: object) -> None:
        if answer.done:
            # The state is JSON already.
            result = ActionDone(cast(CurrentState, msgspec.Raw(answer.body)), str(action_id))
            self._send(answer.told.within(lambda _: result))
        else:
            self._send(self._refusal(answer, action_id))

    def _refusal(self, answer: Answer, action_id: object) -> Told:
        """What is said of a refused action, with the state of the patient whom it concerns."""
        members = msgspec.structs.asdict(msgspec.json.decode(answer.body, type=ErrorBody))
        about = next(iter(answer.patients), self._sender.patient_id)
        with suppress(sqlite3.OperationalError):
            state = self._read_state(about) if about is not None else None
            if isinstance(state, Told):
                told = replace(state, kind=AuditKind.LOOK_ACTION)
                return told.within(
                    lambda now: ActionRefused(**members, action_id=action_id, payload=cast(CurrentState, now))
                )
        return answer.told.within(lambda _: ActionRefused(**members, action_id=action_id))

    def _send_error(self, error: ApiError) -> None:
        self._send(AboutNobody(ErrorMessage(**msgspec.structs.asdict(error_body(error)))))

    def _send(self, message: Telling, stands_for: str = "") -> None:
        self._socket.send(let_out(self._centre, self._requester, message).decode(), stands_for)


def _whose(bearer: Bearer) -> tuple[Role, str | None, str]:
    return bearer.role, bearer.patient_id, bearer.name


def _update(state: object, change: PatientChanged) -> StateUpdate:
    """The message of a change."""
    assert isinstance(state, CurrentState)
    return StateUpdate(UpdatedState(**msgspec.structs.asdict(state), action=change.action), change.action_id)


COMMANDS: Mapping[str, Callable[[_Conversation, dict[str, Any]], None]] = {
    "ping": _Conversation.pong,
    "fetch_initial_state": _Conversation.fetch,
    "perform_action": _Conversation.perform,
    "renew": _Conversation.renew,
}
