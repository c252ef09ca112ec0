"""The WebSocket of the exception inbox: how many cases are open, which have changed, and who has which one open."""

import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from flask import Flask, Response

from sync.central.centre import Centre
from sync.central.records.duties import Duty
from sync.central.records.tokens import Bearer
from sync.central.services.bodies import read_members
from sync.central.services.case_viewers import (
    RENEW_EVERY_S,
    Inbox,
    keep_case_page,
    leave_case_page,
    open_case_page,
    patients_of_case,
    read_inbox,
)
from sync.central.services.errors import ApiError
from sync.central.services.told import AboutNobody
from sync.central.store.news import CASES, CaseChanged, Missed, NewsItem
from sync.central.web.asyncapi import INBOX_PATH
from sync.central.web.bearer_conversation import BearerConversation, Command
from sync.central.web.handshake import Handshakes, Opening
from sync.central.web.inbox_messages import ChangedInbox, InboxMessage, InboxUpdate, LookAtCase, OpenInbox
from sync.journey.model import Role

_ROLES = (Role.STAFF,)
_NOT_RECEPTION = ApiError("forbidden", "The inbox is for the reception.")
_MOST_NAMED = 100  # cases of one message: of more, any may have changed


def add_inbox_socket(app: Flask, centre: Centre, handshakes: Handshakes) -> None:
    """Adds the socket to an app."""

    @app.route(INBOX_PATH, websocket=True)
    def open_inbox() -> Response:
        return handshakes.answer(_ROLES, _may_open, lambda opening, _: _Conversation(centre, opening))


def _may_open(sender: Bearer) -> ApiError | None:
    return None if Duty.RECEPTION in sender.duties else _NOT_RECEPTION


class _News:
    """The cases that have changed since they were last taken. Safe from any thread.

    It is plain where nothing else has come, such as the end of a token.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed: dict[str, None] = {}
        self._any = False
        self._is_plain = True

    def put(self, item: NewsItem) -> None:
        """Keeps an item."""
        with self._lock:
            if isinstance(item, CaseChanged):
                self._changed[item.exception_id] = None
            elif isinstance(item, Missed):
                self._any, self._is_plain = True, False
            else:
                self._is_plain = False

    def put_case(self, exception_id: str) -> None:
        """Keeps that a patient of a case has changed."""
        with self._lock:
            self._changed[exception_id] = None

    def take(self) -> tuple[list[str] | None, bool]:
        """Removes and returns the cases, None where any may have changed, and whether the news were plain."""
        with self._lock:
            is_plain = self._is_plain and bool(self._changed)
            changed = None if self._any or len(self._changed) > _MOST_NAMED else list(self._changed)
            self._changed, self._any, self._is_plain = {}, False, True
        return changed, is_plain


class _Conversation(BearerConversation):
    """The inbox of one page of one member of staff."""

    roles = _ROLES

    def __init__(self, centre: Centre, opening: Opening) -> None:
        super().__init__(centre, opening)
        self._viewer_id = centre.ids()
        self._case: str | None = None  # the one that the page shows
        self._renew_at_s = 0.0  # on the monotonic clock
        self._news = _News()
        self._told: Inbox | None = None
        self._patients = ExitStack()  # whose changes are told

    @property
    def topics(self) -> tuple[str, ...]:
        """Those of the bearer, and that of all cases."""
        return (*super().topics, CASES)

    def opened(self) -> None:
        """Listens, and tells the inbox."""
        self.listen()
        self._told = found = read_inbox(self.centre)
        self.tell(AboutNobody(InboxMessage(OpenInbox(self._viewer_id, found.open, found.viewers))))

    def woken(self) -> None:
        """Tells what has changed, and keeps the lease. Whatever may have ended the token is looked at first."""
        changed, is_plain = self._news.take()
        if not (is_plain and self.has_time()) and not self.is_valid():
            return
        self.check_in_time()
        self._keep_case()
        found = read_inbox(self.centre)
        if changed != [] or found != self._told:
            self._told = found
            told = ChangedInbox(self._viewer_id, found.open, found.viewers, changed)
            self.tell(AboutNobody(InboxUpdate(told)))

    def ended(self) -> None:
        """Leaves the case, and hears of nothing any more. A lease that cannot be ended runs out."""
        super().ended()
        self._patients.close()
        with suppress(sqlite3.Error):
            self._leave_case()

    def take_news(self, item: NewsItem) -> None:
        """Notes what has changed, or that the token or the session may have ended."""
        self._news.put(item)
        self.socket.wake()

    def check_in_time(self) -> None:
        """Has the conversation woken in time for the token, and for the lease where there is one."""
        super().check_in_time()
        if self._case is not None:
            self.socket.wake_within(min(RENEW_EVERY_S, self.patience_s()))

    def look(self, document: dict[str, Any]) -> None:
        """Notes which case the page shows. Everybody is told by the news of that."""
        wanted = read_members(LookAtCase, document, {})
        if isinstance(wanted, ApiError):
            self.send_error(wanted)
            return
        self._patients.close()
        if wanted.exception_id is None:
            self._leave_case()
            return
        self._case = wanted.exception_id
        for patient_id in patients_of_case(self.centre, wanted.exception_id, wanted.patient_id):
            listening = self.centre.store.news.listen(patient_id, partial(self._hear_of_patient, wanted.exception_id))
            self._patients.enter_context(listening)
        open_case_page(self.centre, self._viewer_id, self._case, self.sender)
        self._renew_at_s = time.monotonic() + RENEW_EVERY_S
        self.check_in_time()

    commands: Mapping[str, Command] = {
        "look": look,
        "ping": BearerConversation.pong,
        "renew": BearerConversation.renew,
    }

    def _hear_of_patient(self, exception_id: str, _: NewsItem) -> None:
        self._news.put_case(exception_id)
        self.socket.wake()

    def _keep_case(self) -> None:
        """Renews the lease, where it is time."""
        if self._case is not None and time.monotonic() >= self._renew_at_s:
            keep_case_page(self.centre, self._viewer_id, self._case, self.sender)
            self._renew_at_s = time.monotonic() + RENEW_EVERY_S

    def _leave_case(self) -> None:
        before, self._case = self._case, None
        if before is not None:
            leave_case_page(self.centre, self._viewer_id)


COMMANDS = _Conversation.commands
