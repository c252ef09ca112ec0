"""The messages of the socket of a board."""

from typing import Annotated

import msgspec
from msgspec import Meta

from sync.central.services.board import Board, BoardUpdate
from sync.central.services.bodies import Name
from sync.central.web.socket_messages import ErrorMessage, Ping, Pong, Renew, Renewed
from sync.central.web.watched_exams import MOST_EXAMS


class BoardMessage(msgspec.Struct, frozen=True, tag_field="type", tag="board"):
    """The lines whole: on connect, after `watch`, and for a board that has missed too much."""

    payload: Board


class BoardUpdateMessage(msgspec.Struct, frozen=True, tag_field="type", tag="board_update"):
    """What has changed since the message before. Several changes at once come as one message."""

    payload: BoardUpdate


class Watch(msgspec.Struct, frozen=True, tag_field="command", tag="watch"):
    """Watches other exams from now on; without any, all exams."""

    exams: Annotated[tuple[Name, ...], Meta(max_length=MOST_EXAMS)] = ()


BOARD_SENT = (BoardMessage, BoardUpdateMessage, Pong, Renewed, ErrorMessage)
BOARD_TAKEN = (Watch, Ping, Renew)
