"""The patient's WebSocket: the whole state on connect and after every change, and actions as over REST.

One thread serves one socket and is the only one that sends messages on it. News leave a note and wake it; several
changes become one snapshot, the newest. Answers to actions are sent in turn and never dropped.
"""

import logging
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

import msgspec
from flask import Blueprint, Flask, request
from flask_sock import Sock
from simple_websocket import ConnectionClosed

from sync.central.records.patients import patient_named
from sync.central.records.tokens import Bearer, bearer, bearer_of_hash
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import ApiError, error_body
from sync.central.services.journey_service import Answer, JourneyService, refused
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.store.news import NewsItem, PatientChanged
from sync.central.web.http import decode
from sync.central.web.patient_api import UNKNOWN_PATIENT, asker_of, note_look, subject_of
from sync.central.web.socket_frames import Wakeable, part
from sync.central.web.socket_limits import SocketLimits, guard_sockets
from sync.journey.model import Role

log = logging.getLogger(__name__)

PATH = "/ws/patient-journey/"
# RFC 6455, 7.4.1
GOING_AWAY, POLICY_VIOLATION, INTERNAL_ERROR = 1001, 1008, 1011
_LOOK_EVERY_S = 30.0
_ROLES = (Role.PATIENT, Role.STAFF)


class UpdatedState(CurrentState, frozen=True):
    """The whole state, and the action that led to it."""

    action: str | None = None


def add_live(app: Flask, service: JourneyService, sockets: SocketLimits) -> None:
    """Adds the socket to an app."""
    blueprint = Blueprint("live", __name__)
    guard_sockets(app, blueprint, sockets)

    @Sock().route(PATH, bp=blueprint)  # type: ignore[untyped-decorator]
    def patient_journey(ws: Any) -> None:
        with sockets.place(ws.event):
            try:
                _serve(service, sockets, ws)
            except (ConnectionClosed, OSError):
                log.debug("a socket's peer left")
            except Exception:
                log.exception("a socket failed")
                with suppress(ConnectionClosed, OSError):
                    ws.close(INTERNAL_ERROR, "it failed inside")
            part(ws)

    app.register_blueprint(blueprint)


def _serve(service: JourneyService, sockets: SocketLimits, ws: Any) -> None:
    sender = _sender(service)
    subject = subject_of(service, sender, request.args.get("patient_id")) if sender else None
    if sender is None or isinstance(subject, ApiError):
        ws.close(POLICY_VIOLATION, "a valid token is needed")
        return
    inbox = _Inbox(ws.event)
    conversation = _Conversation(service, ws, sender, subject)
    goes_on = True
    while goes_on:
        with ExitStack() as listening:
            for topic in conversation.topics:
                listening.enter_context(service.store.news.listen(topic, inbox.leave))
            goes_on = conversation.hold(sockets, inbox)


def _sender(service: JourneyService) -> Bearer | None:
    """Whose socket it is: apps send a header, browsers, which cannot, offer the subprotocols `bearer, <token>`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        scheme, _, token = request.headers.get("Sec-WebSocket-Protocol", "").partition(",")
    if scheme.strip().lower() != "bearer":
        return None
    with service.store.read() as db:
        found = bearer(db, token.strip(), service.clock())
    return found if found and found.role in _ROLES else None


class _Inbox:
    """What happened since the socket's thread last looked: the newest change, and whether the token was revoked."""

    def __init__(self, wake: Wakeable) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._change: PatientChanged | None = None

    def leave(self, note: NewsItem) -> None:
        """Called by whoever has news. Of a revoked token the socket learns when it looks at the token."""
        with self._lock:
            self._change = note if isinstance(note, PatientChanged) else self._change
        self._wake.nudge()

    def take(self) -> PatientChanged | None:
        """The newest change that was not taken yet."""
        with self._lock:
            change, self._change = self._change, None
            return change


class _Conversation:
    """One socket of one sender, about one patient (staff may name others in their commands)."""

    def __init__(self, service: JourneyService, ws: Any, sender: Bearer, subject: str | None) -> None:
        self._service = service
        self._ws = ws
        self._sender = sender
        self._subject = subject
        self._asker = asker_of(sender)

    @property
    def topics(self) -> tuple[str, ...]:
        """What the socket must hear of."""
        return (self._sender.token_hash, *filter(None, (self._subject,)))

    def hold(self, sockets: SocketLimits, inbox: _Inbox) -> bool:
        """Serves the socket until it, the token or the service ends (False), or the patient's record is merged into
        another one, whose topic is to be listened to then (True)."""
        if self._subject is not None:
            self._tell_state(self._subject)
        while True:
            if sockets.stopping:
                self._ws.close(GOING_AWAY, "the service stops")
                return False
            before = self.topics
            if not self._still_valid():
                self._ws.close(POLICY_VIOLATION, "the token is no longer valid")
                return False
            if self.topics != before:
                return True
            if (change := inbox.take()) is not None:
                self._tell_update(change)
            message = self._ws.receive(timeout=_LOOK_EVERY_S)
            if message is not None:
                self._hear(decode(message))

    def _still_valid(self) -> bool:
        """Whether the token is; and whose it is by now, and who the socket is about: records may have been merged."""
        with self._service.store.read() as db:
            found = bearer_of_hash(db, self._sender.token_hash, self._service.clock())
            if self._subject is not None:
                self._subject = patient_named(db, self._subject) or self._subject
        self._sender = found or self._sender
        return found is not None

    def _hear(self, document: Any) -> None:
        command = document.get("command") if isinstance(document, dict) else None
        if command == "ping":
            self._send({"type": "pong"})
        elif command == "fetch_initial_state":
            self._fetch(document)
        elif command == "perform_action":
            self._perform(document)
        elif isinstance(document, ApiError):
            self._tell_fault(document)
        else:
            self._tell_fault(ApiError("unknown_command", "The message names no command that is known here."))

    def _fetch(self, document: dict[str, Any]) -> None:
        subject = self._named(document)
        if isinstance(subject, str):
            self._tell_state(subject)
        else:
            self._tell_fault(subject or ApiError("missing_patient_id", "A staff token names the patient: patient_id."))

    def _perform(self, document: dict[str, Any]) -> None:
        action_id = document.get("action_id")
        try:
            found = read_action_request(document, self._service.keys, self._service.ids)
            if isinstance(found, ActionRequest):
                action_id = found.action_id
            answer = self._answer(found)
        except RecursionError:
            answer = self._service.refusal(self._asker, None, ApiError("malformed", "The message is nested too deep."))
        except sqlite3.OperationalError:
            log.exception("an action met a busy or failing database")
            answer = refused(ApiError("busy", "The database is busy; send it again."))
        self._tell_result(answer, action_id)

    def _answer(self, found: ActionRequest | ApiError) -> Answer:
        if isinstance(found, ActionRequest):
            subject = self._named(found.payload)
            if not isinstance(subject, ApiError):
                return self._service.perform(self._asker, subject, found, "websocket", self._sender.who)
            found = subject
        return self._service.refusal(self._asker, self._subject, found)

    def _named(self, said: Mapping[str, Any]) -> str | ApiError | None:
        """Whom a message is about: the patient that it names, else the socket's own."""
        named = said.get("patient_id")
        return subject_of(self._service, self._sender, named if isinstance(named, str) else self._subject)

    def _tell_state(self, subject: str) -> None:
        state = self._service.current(self._asker, subject)
        if state is None:
            self._tell_fault(UNKNOWN_PATIENT)
            return
        if self._sender.role is Role.STAFF:
            note_look(self._service, self._sender, "socket", subject)
        self._send({"type": "initial_state", "payload": state})

    def _tell_update(self, change: PatientChanged) -> None:
        state = self._service.current(self._asker, change.patient_id)
        if state is not None:
            updated = UpdatedState(**msgspec.structs.asdict(state), action=change.action)
            self._send({"type": "state_update", "payload": updated, "action_id": change.action_id})

    def _tell_result(self, answer: Answer, action_id: object) -> None:
        outcome = {"payload": msgspec.Raw(answer.body)} if answer.done else msgspec.json.decode(answer.body)
        self._send({"type": "action_result", "success": answer.done, **outcome, "action_id": action_id})

    def _tell_fault(self, found: ApiError) -> None:
        self._send({"type": "error", **msgspec.to_builtins(error_body(found))})

    def _send(self, message: dict[str, Any]) -> None:
        self._ws.send(msgspec.json.encode(message).decode())
