"""The patient's WebSocket: the whole state on connect and after every change, and actions as over REST.

Several changes become one message, with the newest state. Answers to actions are sent in turn and never dropped.
"""

import logging
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import msgspec
from flask import Flask, Response, request
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer, refused
from sync.central.services.authentication import subject_of
from sync.central.services.current_state import CurrentState, read_current_state
from sync.central.services.errors import MISSING_PATIENT_ID, ApiError, ErrorBody, nested_too_deep
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.services.told import Told, told_of
from sync.central.store.errors import trouble_in_words
from sync.central.store.news import Missed, NewsItem, PatientChanged
from sync.central.web.asyncapi import PATH
from sync.central.web.bearer_conversation import BearerConversation, Command
from sync.central.web.handshake import Handshakes, Opening
from sync.central.web.patient_api import perform_for
from sync.central.web.socket_messages import ActionDone, ActionRefused, InitialState, StateUpdate, UpdatedState
from sync.central.web.socket_offer import Conversation
from sync.journey.model import Role

log = logging.getLogger(__name__)

_STATE = "state"  # of the messages of which the newest is enough
_ROLES = (Role.PATIENT, Role.VISIT, Role.STAFF)


def add_patient_socket(app: Flask, centre: Centre, handshakes: Handshakes) -> None:
    """Adds the socket to an app."""

    @app.route(PATH, websocket=True)
    def open_socket() -> Response:
        return handshakes.answer(_ROLES, _subject, _converse)

    def _subject(sender: Bearer) -> str | ApiError | None:
        return subject_of(centre, sender, request.args.get("patient_id"))

    def _converse(opening: Opening, subject: str | None) -> Conversation:
        return _Conversation(centre, opening, subject)


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


class _Conversation(BearerConversation):
    """One socket of one sender, about one patient. Staff may name others in their commands."""

    roles = _ROLES

    def __init__(self, centre: Centre, opening: Opening, subject: str | None) -> None:
        super().__init__(centre, opening, subject)
        self._news = _News()

    def opened(self) -> None:
        """Listens, and tells the whole state."""
        self.listen()
        if self.subject is not None:
            self._send_state(self.subject)

    def woken(self) -> None:
        """Tells the newest change. Whatever may have ended the token or moved the patient is looked at first."""
        change, is_plain = self._news.take()
        # Any action may end a visit, and with it the token.
        is_plain &= self.sender.role is not Role.VISIT
        if not (is_plain and self.has_time()) and not self.is_valid():
            return
        self.check_in_time()
        if change is not None:
            self._send_update(change)

    def take_news(self, item: NewsItem) -> None:
        """Keeps the newest change."""
        if isinstance(item, Missed) and self.subject is not None:
            item = PatientChanged(item.number, self.subject)
        self._news.put(item)
        self.socket.wake()

    def fetch(self, document: dict[str, Any]) -> None:
        """Answers with the state of the patient whom a command names, or of the socket's own."""
        named = document.get("patient_id")
        subject = subject_of(self.centre, self.sender, named if isinstance(named, str) else self.subject)
        if isinstance(subject, str):
            self._send_state(subject)
        else:
            self.send_error(subject or MISSING_PATIENT_ID)

    def perform(self, document: dict[str, Any]) -> None:
        """Does an action, and answers with its result."""
        action_id = document.get("action_id")
        try:
            wanted = read_action_request(document, self.centre.keys, self.centre.ids)
            if isinstance(wanted, ActionRequest):
                action_id = wanted.action_id
            answer = perform_for(self.centre, self.sender, self.requester, wanted, self.subject)
        except RecursionError:
            answer = refused(nested_too_deep("message"))
        except sqlite3.OperationalError as error:
            log.warning("an action met a busy or failing database: %s", error)
            answer = refused(ApiError("busy", f"{trouble_in_words(error)}."))
        self._send_result(answer, action_id)

    commands: Mapping[str, Command] = {
        "ping": BearerConversation.pong,
        "fetch_initial_state": fetch,
        "perform_action": perform,
        "renew": BearerConversation.renew,
    }

    def _send_state(self, subject: str) -> None:
        told = self._read_state(subject)
        if isinstance(told, ApiError):
            self.send_error(told)
        else:
            self.tell(told.within(lambda state: InitialState(cast(CurrentState, state))))

    def _send_update(self, change: PatientChanged) -> None:
        if change.state is not None and change.seen_by == self.requester.actor.role:
            told: Told | ApiError = told_of(change.state, AuditKind.LOOK_SOCKET, (change.patient_id,))
        else:
            told = self._read_state(change.patient_id)
        if not isinstance(told, ApiError):
            self.tell(told.within(lambda state: _update(state, change)), _STATE)

    def _read_state(self, patient_id: str) -> Told | ApiError:
        told = read_current_state(self.centre, self.requester.actor, patient_id)
        return told if isinstance(told, ApiError) else replace(told, kind=AuditKind.LOOK_SOCKET)

    def _send_result(self, answer: Answer, action_id: object) -> None:
        if answer.done:
            # The state is JSON already.
            result = ActionDone(cast(CurrentState, msgspec.Raw(answer.body)), str(action_id))
            self.tell(answer.told.within(lambda _: result))
        else:
            self.tell(self._refusal(answer, action_id))

    def _refusal(self, answer: Answer, action_id: object) -> Told:
        """What is said of a refused action, with the state of the patient whom it concerns."""
        members = msgspec.structs.asdict(msgspec.json.decode(answer.body, type=ErrorBody))
        about = next(iter(answer.patients), self.sender.patient_id)
        with suppress(sqlite3.OperationalError):
            state = self._read_state(about) if about is not None else None
            if isinstance(state, Told):
                told = replace(state, kind=AuditKind.LOOK_ACTION)
                return told.within(
                    lambda now: ActionRefused(**members, action_id=action_id, payload=cast(CurrentState, now))
                )
        return answer.told.within(lambda _: ActionRefused(**members, action_id=action_id))


def _update(state: object, change: PatientChanged) -> StateUpdate:
    """The message of a change."""
    assert isinstance(state, CurrentState)
    return StateUpdate(UpdatedState(**msgspec.structs.asdict(state), action=change.action), change.action_id)


COMMANDS = _Conversation.commands
