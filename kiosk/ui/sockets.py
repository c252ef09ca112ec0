"""The page's WebSocket: the whole screen when it opens and at every change, and the pressed buttons.

Two threads serve a socket: the request's own takes commands, the other pushes the newest screen. A page that does not
read delays no other page. It gets the newest screen once it reads again, and is disconnected if it does not.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Flask, Response
from simple_websocket import ConnectionClosed

from kiosk.front.counter import Counter
from kiosk.front.latest import LatestSlot
from kiosk.front.screen import Screen
from kiosk.ui.messages import (
    FAILED,
    MAX_BYTES,
    ActionResult,
    Command,
    FetchInitialState,
    Keep,
    Leave,
    Malformed,
    PageError,
    PersonCommand,
    Ping,
    Pong,
    PressRequest,
    SetPace,
    State,
    Touch,
    read_command,
    result_of,
)
from sync.websocket.adapter import GOING_AWAY, Refused, add_socket
from sync.websocket.limits import SocketLimits

log = logging.getLogger(__name__)

JOIN_S = 1.0


def add_page_socket(
    app: Flask, path: str, counter: Counter, limit: int, when_shown: Callable[[int], object] = lambda _: None
) -> None:
    """Adds the page's socket to an app. At most `limit` are open at a time. `when_shown` is as in `create_app`."""
    add_socket(
        app,
        path,
        lambda websocket: PageSession(websocket, counter, when_shown).run(),
        SocketLimits(limit),
        _refuse,
        max_message=MAX_BYTES,
    )


class PageSession:
    """One open socket, until either end closes it."""

    def __init__(self, connection: Any, counter: Counter, when_shown: Callable[[int], object]) -> None:
        self._connection = connection
        self._when_shown = when_shown
        self._counter = counter
        self._sending = threading.Lock()

    def run(self) -> None:
        """Takes commands while another thread pushes screens."""
        with self._counter.subscribe() as slot:
            pusher = threading.Thread(target=self._push, args=(slot,), name="page-push", daemon=True)
            pusher.start()
            try:
                self._take_commands()
            finally:
                slot.close()
                pusher.join(JOIN_S)

    def _take_commands(self) -> None:
        while True:
            message = self._connection.receive()
            if message is not None:  # None where the thread was woken for another reason
                self._send(self._answer(read_command(message)))

    def _answer(self, command: Command | Malformed) -> object:
        try:
            return answer(self._counter, command)
        except Exception:
            # The edge of a command: the socket stays open, and the log has the place of the failure.
            log.exception("a command of the page failed")
            return _broken(command)

    def _push(self, slot: LatestSlot[Screen]) -> None:
        """Sends the newest screen whenever there is a newer one. The end of the subscription closes the socket."""
        try:
            self._send(State("initial_state", self._counter.screen()))
            while not slot.closed:
                screen = slot.take()
                if screen is not None:
                    self._send(State("state_update", screen))
                    self._when_shown(screen.frame)
            self._close("the kiosk is stopping")
        except (ConnectionClosed, OSError):
            self._close("the page does not read")
        except Exception:
            # The edge of a thread: without screens the socket is of no use, and the page opens another.
            log.exception("a screen could not be pushed")
            self._close("the kiosk could not say what it shows")

    def _send(self, message: object) -> None:
        text = msgspec.json.encode(message).decode()
        with self._sending:
            self._connection.send(text)

    def _close(self, words: str) -> None:
        with contextlib.suppress(ConnectionClosed, OSError), self._sending:
            self._connection.close(GOING_AWAY, words)
        # `close` wakes no thread that waits in `receive`.
        self._connection.connected = False
        self._connection.event.set()


def answer(counter: Counter, command: Command | Malformed) -> object:
    """Does what a command asks and returns the message that answers it."""
    match command:
        case Malformed():
            return PageError(type="error", error=command.error, code=command.code)
        case PressRequest():
            return result_of(counter.act(command.press), command.action_id)
        case FetchInitialState():
            return State("initial_state", counter.screen())
        case Keep() | Leave() | Touch() | SetPace():
            return State("state_update", obey(counter, command))
        case Ping():
            return Pong()


def obey(counter: Counter, command: PersonCommand) -> Screen:
    """Does what the person of a stay asks. Returns the screen after it."""
    match command:
        case Keep():
            return counter.keep(command.stay)
        case Leave():
            return counter.leave(command.stay)
        case Touch():
            return counter.touch(command.stay)
        case SetPace():
            return counter.set_pace(command.stay, command.slow)


def _broken(command: Command | Malformed) -> object:
    code = "internal"
    if isinstance(command, PressRequest):
        return ActionResult(type="action_result", success=False, action_id=command.action_id, error=FAILED, code=code)
    return PageError(type="error", error=FAILED, code=code)


def _refuse(refused: Refused) -> Response:
    if refused is Refused.FULL:
        status, error, code = 503, "too many sockets are open", "too_many_sockets"
    else:
        status, error, code = 400, "that is no WebSocket handshake", "bad_handshake"
    return Response(msgspec.json.encode(PageError(error=error, code=code)), status, mimetype="application/json")
