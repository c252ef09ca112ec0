"""The WebSocket of a board: the lines whole on connect, and what changes in them as it happens.

Several changes become one message. A board that has missed too much is told the whole again.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, cast

from flask import Flask, Response, request

from sync.central.centre import Centre
from sync.central.services.board import Board, BoardUpdate
from sync.central.services.board_feed import BoardFeed, Changes, Whole
from sync.central.services.bodies import read_members
from sync.central.services.errors import ApiError
from sync.central.store.news import NewsItem
from sync.central.web.asyncapi import BOARD_PATH
from sync.central.web.bearer_conversation import BearerConversation, Command
from sync.central.web.board_messages import BoardMessage, BoardUpdateMessage, Watch
from sync.central.web.handshake import Handshakes, Opening
from sync.central.web.http import respond_error
from sync.central.web.watched_exams import read_exam_ids
from sync.journey.model import Role

_ROLES = (Role.STAFF,)


def add_board_socket(app: Flask, centre: Centre, handshakes: Handshakes, boards: BoardFeed) -> None:
    """Adds the socket to an app."""

    @app.route(BOARD_PATH, websocket=True)
    def open_board() -> Response:
        exam_ids = read_exam_ids(request.args.get("exams", ""))
        if isinstance(exam_ids, ApiError):
            return respond_error(exam_ids)
        return handshakes.answer(_ROLES, lambda _: exam_ids, _converse)

    def _converse(opening: Opening, exam_ids: Sequence[str]) -> "_Conversation":
        return _Conversation(centre, opening, boards, exam_ids)


class _Conversation(BearerConversation):
    """One board of one member of staff."""

    roles = _ROLES

    def __init__(self, centre: Centre, opening: Opening, boards: BoardFeed, exam_ids: Sequence[str]) -> None:
        super().__init__(centre, opening)
        self._boards = boards
        self._exam_ids: Sequence[str] = exam_ids
        self._version = 0  # of the picture that the board was told last; 0: it was told none
        self._lines_changed = threading.Event()
        self._is_to_check = threading.Event()
        self._watching = ExitStack()

    def opened(self) -> None:
        """Listens, and tells the lines."""
        self.listen()
        self._watching.close()
        self._watching.callback(self._boards.open(self._wake))
        self._tell(self._boards.board(self._exam_ids))

    def woken(self) -> None:
        """Tells what has changed. Whatever may have ended the token is looked at first."""
        is_plain = self._lines_changed.is_set() and not self._is_to_check.is_set()
        self._lines_changed.clear()
        self._is_to_check.clear()
        if not (is_plain and self.has_time()) and not self.is_valid():
            return
        self.check_in_time()
        if self._version:
            self._tell(self._boards.since(self._version, self._exam_ids))

    def ended(self) -> None:
        """Hears of nothing any more."""
        self._watching.close()
        super().ended()

    def take_news(self, item: NewsItem) -> None:  # noqa: ARG002 (whatever it is, the token is looked at)
        """Notes that the token or the session may have ended."""
        self._is_to_check.set()
        self.socket.wake()

    def watch(self, document: dict[str, Any]) -> None:
        """Answers with the lines of other exams, and follows them from now on."""
        wanted = read_members(Watch, document, {})
        if isinstance(wanted, ApiError):
            self.send_error(wanted)
            return
        found = self._boards.board(wanted.exams)
        if isinstance(found, Whole):
            self._exam_ids = wanted.exams
        self._tell(found)

    commands: Mapping[str, Command] = {
        "watch": watch,
        "ping": BearerConversation.pong,
        "renew": BearerConversation.renew,
    }

    def _wake(self) -> None:
        self._lines_changed.set()
        self.socket.wake()

    def _tell(self, message: Whole | Changes | ApiError) -> None:
        if isinstance(message, ApiError):
            self.send_error(message)
            return
        self._version = message.version
        if message.told is not None:
            self.tell(message.told.within(_whole if isinstance(message, Whole) else _update))


def _whole(board: object) -> BoardMessage:
    return BoardMessage(cast(Board, board))


def _update(update: object) -> BoardUpdateMessage:
    return BoardUpdateMessage(cast(BoardUpdate, update))


COMMANDS = _Conversation.commands
