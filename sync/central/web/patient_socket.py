"""The patient's WebSocket: the whole state on connect and after every change, and actions as over REST.

One thread serves one socket and is the only one that sends messages on it. A change is put into `_NewsBox` and wakes
the thread. Several changes become one snapshot, the newest. Answers to actions are sent in turn and never dropped.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import msgspec
from flask import Flask, Response, request

from sync.central.centre import Centre
from sync.central.records.site import NoSite
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer, refused
from sync.central.services.authentication import actor_of, authenticate, refresh, subject_of
from sync.central.services.current_state import CurrentState, read_current_state
from sync.central.services.errors import MISSING_PATIENT_ID, ApiError, error_body, nested_too_deep
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.store.errors import trouble_in_words
from sync.central.store.news import NewsItem, PatientChanged
from sync.central.web.endpoints import Endpoints
from sync.central.web.http import decode, respond
from sync.central.web.origins import Origins
from sync.central.web.patient_api import perform_for
from sync.central.web.senders import socket_token
from sync.journey.model import Role
from sync.websocket.adapter import GOING_AWAY, TRY_AGAIN_LATER, Refused, add_socket
from sync.websocket.connection import Wakeable
from sync.websocket.limits import SocketLimits

log = logging.getLogger(__name__)

PATH = "/ws/patient-journey/"
_CHECK_EVERY_S = 30.0  # a clock that was set is noticed within this time
_NOT_BEFORE_S = 0.01
_ROLES = (Role.PATIENT, Role.STAFF)
# Close codes for private use (RFC 6455, 7.4.2), by the code of the error: 4000 and the HTTP status.
_CLOSE_CODES = {"unauthorized": 4401, "forbidden": 4403}
_NO_LONGER_VALID = ApiError("unauthorized", "the token is no longer valid")
_FOREIGN_ORIGIN = ApiError("foreign_origin", "A page of another site may not open this socket.")
_UNKNOWN_COMMAND = ApiError("unknown_command", "The message names no known command.")
_REFUSALS = {
    Refused.FULL: ApiError("busy", "Too many sockets are open; use plain requests for now."),
    Refused.NO_HANDSHAKE: ApiError("malformed", "This is no WebSocket handshake."),
}


class UpdatedState(CurrentState, frozen=True):
    """The whole state, and the action that led to it."""

    action: str | None = None


def add_patient_socket(
    app: Flask, centre: Centre, endpoints: Endpoints, limits: SocketLimits, origins: Origins
) -> None:
    """Adds the socket to an app. A page of another site is refused before the handshake (RFC 6455, 10.2)."""

    def serve(websocket: Any) -> None:
        try:
            _serve(centre, endpoints, limits, websocket)
        except (sqlite3.OperationalError, NoSite) as error:
            log.warning("a socket met a centre that cannot answer now: %s", error)
            websocket.close(TRY_AGAIN_LATER, "no_site" if isinstance(error, NoSite) else "busy")

    def refuse(why: Refused) -> Response:
        return respond(_REFUSALS[why])

    def admit() -> Response | None:
        return None if origins.may_open_socket(request.environ) else respond(_FOREIGN_ORIGIN)

    add_socket(app, PATH, serve, limits, refuse, admit=admit, subprotocols=("bearer",))


def _serve(centre: Centre, endpoints: Endpoints, limits: SocketLimits, websocket: Any) -> None:
    sender = authenticate(centre, socket_token(), _ROLES)
    named = request.args.get("patient_id")
    subject = sender if isinstance(sender, ApiError) else subject_of(centre, sender, named)
    if isinstance(sender, ApiError):
        _refuse(websocket, sender)
        return
    if isinstance(subject, ApiError):
        _refuse(websocket, subject)
        return
    news = _NewsBox(websocket.event)
    conversation = _Conversation(centre, endpoints, websocket, sender, subject)
    goes_on = True
    while goes_on:
        with ExitStack() as listening:
            for topic in conversation.topics:
                listening.enter_context(centre.store.news.listen(topic, news.put))
            goes_on = conversation.serve_until_end(limits, news)


def _refuse(websocket: Any, error: ApiError) -> None:
    websocket.close(_CLOSE_CODES[error.code], error.code)


class _NewsBox:
    """The newest change since the socket's thread last looked."""

    def __init__(self, wake: Wakeable) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._change: PatientChanged | None = None

    def put(self, item: NewsItem) -> None:
        """Keeps a change and wakes the socket's thread. The thread checks its token at each wake."""
        with self._lock:
            self._change = item if isinstance(item, PatientChanged) else self._change
        self._wake.nudge()

    def take(self) -> PatientChanged | None:
        """Removes and returns the newest change."""
        with self._lock:
            change, self._change = self._change, None
            return change


class _Conversation:
    """One socket of one sender, about one patient. Staff may name others in their commands."""

    def __init__(
        self, centre: Centre, endpoints: Endpoints, websocket: Any, sender: Bearer, subject: str | None
    ) -> None:
        self._centre = centre
        self._endpoints = endpoints
        self._websocket = websocket
        self._sender = sender
        self._subject = subject
        self._commands: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "ping": lambda _: self._send({"type": "pong"}),
            "fetch_initial_state": self._fetch,
            "perform_action": self._perform,
        }

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the news that concern the socket: its token, and its patient."""
        return (self._sender.token_hash, *filter(None, (self._subject,)))

    def serve_until_end(self, limits: SocketLimits, news: _NewsBox) -> bool:
        """Serves the socket until it, its token or the service ends (False), or until the record is merged (True).

        After a merge the caller calls again, for the topic of the other record.
        """
        if self._subject is not None:
            self._send_state(self._subject)
        while True:
            if limits.stopping:
                self._websocket.close(GOING_AWAY, "the service stops")
                return False
            topics = self.topics
            if not self._refresh():
                _refuse(self._websocket, _NO_LONGER_VALID)
                return False
            if self.topics != topics:
                return True
            if (change := news.take()) is not None:
                self._send_update(change)
            message = self._websocket.receive(timeout=self._patience_s())
            if message is not None:
                self._answer(decode(message))

    def _patience_s(self) -> float:
        """How long the socket may sleep: until its token expires at most."""
        expires_ms = self._sender.expires_ms
        left_s = _CHECK_EVERY_S if expires_ms is None else (expires_ms - self._centre.clock()) / 1000
        return min(_CHECK_EVERY_S, max(left_s, _NOT_BEFORE_S))

    def _refresh(self) -> bool:
        """Follows merges of records; False where the token is no longer valid."""
        sender, self._subject = refresh(self._centre, self._sender, self._subject)
        self._sender = sender or self._sender
        return sender is not None

    def _answer(self, document: Any) -> None:
        if isinstance(document, ApiError):
            self._send_error(document)
            return
        name = document.get("command") if isinstance(document, dict) else None
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None:
            self._send_error(_UNKNOWN_COMMAND)
        else:
            command(document)

    def _fetch(self, document: dict[str, Any]) -> None:
        named = document.get("patient_id")
        subject = subject_of(self._centre, self._sender, named if isinstance(named, str) else self._subject)
        if isinstance(subject, str):
            self._send_state(subject)
        else:
            self._send_error(subject or MISSING_PATIENT_ID)

    def _perform(self, document: dict[str, Any]) -> None:
        action_id = document.get("action_id")
        try:
            wanted = read_action_request(document, self._centre.keys, self._centre.ids)
            if isinstance(wanted, ActionRequest):
                action_id = wanted.action_id
            answer = perform_for(self._centre, self._sender, "websocket", wanted, self._subject)
        except RecursionError:
            answer = refused(nested_too_deep("message"))
        except sqlite3.OperationalError as error:
            log.exception("an action met a busy or failing database")
            answer = refused(ApiError("busy", f"{trouble_in_words(error)}."))
        self._send_result(answer, action_id)

    def _send_state(self, subject: str) -> None:
        state = read_current_state(self._centre, actor_of(self._sender), subject)
        if isinstance(state, ApiError):
            self._send_error(state)
            return
        self._endpoints.record_look(self._sender, "socket", subject)
        self._send({"type": "initial_state", "payload": state})

    def _send_update(self, change: PatientChanged) -> None:
        state = read_current_state(self._centre, actor_of(self._sender), change.patient_id)
        if isinstance(state, CurrentState):
            updated = UpdatedState(**msgspec.structs.asdict(state), action=change.action)
            self._send({"type": "state_update", "payload": updated, "action_id": change.action_id})

    def _send_result(self, answer: Answer, action_id: object) -> None:
        outcome = {"payload": msgspec.Raw(answer.body)} if answer.done else msgspec.json.decode(answer.body)
        self._send({"type": "action_result", "success": answer.done, **outcome, "action_id": action_id})

    def _send_error(self, error: ApiError) -> None:
        self._send({"type": "error", **msgspec.to_builtins(error_body(error))})

    def _send(self, message: dict[str, Any]) -> None:
        self._websocket.send(msgspec.json.encode(message).decode())
