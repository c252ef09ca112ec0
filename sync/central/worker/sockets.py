"""The WebSockets of a worker: what their clients say and what wakes them, one thing at a time for each."""

import logging
import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable

from sync.central.frames import Accept, Close, Message, Send, Taken, ToGateway
from sync.central.records.site import NoSite
from sync.central.web.socket_offer import GOING_AWAY, INTERNAL_ERROR, TRY_AGAIN_LATER, Conversation
from sync.central.worker.afterwork import Afterwork
from sync.logs import INTERNAL, Serving, served_request

log = logging.getLogger(__name__)

_TICK_S = 1.0
Step = Callable[[Conversation], None]


class HeldSockets:
    """The WebSockets that the gateway holds for this worker."""

    def __init__(self, send: Callable[[ToGateway], None], afterwork: Afterwork) -> None:
        self._send = send
        self._afterwork = afterwork
        self._lock = threading.Lock()
        self._held: dict[int, HeldSocket] = {}
        self._stopping = False
        self._stopped = threading.Event()
        self._ticking = threading.Thread(target=self._tick, name="sockets", daemon=True)
        self._ticking.start()

    def offer(self, number: int) -> "HeldSocket":
        """The socket that a call asks for."""
        return HeldSocket(number, self._tell, self._afterwork.submit)

    def open(self, accepted: "HeldSocket") -> None:
        """Opens a socket whose offer was accepted."""
        with self._lock:
            self._held[accepted.number] = accepted
            stopping = self._stopping
        self._tell(Accept(accepted.number, accepted.subprotocol))
        if stopping:
            accepted.close(GOING_AWAY, "the service stops")
        else:
            accepted.do(lambda conversation: conversation.opened())

    def take(self, message: Message) -> None:
        """A message of a client."""
        held = self._held.get(message.number)
        if held is not None:
            held.receive(message.text)

    def forget(self, number: int) -> None:
        """The client has left."""
        with self._lock:
            held = self._held.pop(number, None)
        if held is not None:
            held.end()

    def stop(self) -> None:
        """Closes every socket."""
        with self._lock:
            self._stopping = True
            held = list(self._held.values())
        self._stopped.set()
        for each in held:
            each.close(GOING_AWAY, "the service stops")

    def _tick(self) -> None:
        while not self._stopped.wait(_TICK_S):
            now = time.monotonic()
            with self._lock:
                due = [each for each in self._held.values() if each.due <= now]
            for each in due:
                each.wake()

    def _tell(self, frame: ToGateway) -> None:
        try:
            self._send(frame)
        except OSError:
            log.debug("the gateway has left")


class HeldSocket:
    """One WebSocket, from its offer to its end."""

    def __init__(self, number: int, tell: Callable[[ToGateway], None], submit: Callable[..., object]) -> None:
        self.number = number
        self.subprotocol: str | None = None
        self.due = math.inf  # on the monotonic clock, in seconds
        self._tell = tell
        self._submit = submit
        self._opened_by = served_request()
        self._conversation: Conversation | None = None
        self._lock = threading.Lock()
        self._steps: deque[Step] = deque()
        self._busy = False
        self._is_to_wake = False
        self._closed = False

    @property
    def is_accepted(self) -> bool:
        """Whether a view has accepted the offer."""
        return self._conversation is not None

    @property
    def socket(self) -> "HeldSocket":
        """The socket as it is once the offer is accepted."""
        return self

    def accept(self, conversation: Conversation, subprotocol: str | None) -> None:
        """Opens the socket, once the view has returned."""
        self._conversation, self.subprotocol = conversation, subprotocol

    def send(self, text: str, stands_for: str = "") -> None:
        """Sends a message."""
        self._tell(Send(self.number, text, stands_for))

    def close(self, code: int, reason: str = "") -> None:
        """Closes the socket after what was sent before."""
        with self._lock:
            was_closed, self._closed = self._closed, True
        if not was_closed:
            self._tell(Close(self.number, code, reason))
            self._step_soon(_end)

    def wake(self) -> None:
        """Has the conversation's `woken` called soon: after the call that this thread answers, or on another thread."""
        with self._lock:
            if self._is_to_wake or self._closed:
                return
            self._is_to_wake, self.due = True, math.inf
        self._step_soon(self._wake)

    def wake_within(self, seconds: float) -> None:
        """Has the conversation's `woken` called after that time."""
        self.due = time.monotonic() + seconds

    def end(self) -> None:
        """The client has left."""
        with self._lock:
            was_closed, self._closed = self._closed, True
        if not was_closed:
            self._step_soon(_end)

    def receive(self, text: bytes) -> None:
        """A message of the client. The gateway sends the next one once this one is answered."""

        def step(conversation: Conversation) -> None:
            conversation.received(text)
            self._tell(Taken(self.number))

        self.do(step)

    def do(self, step: Step) -> None:
        """Does a step, on this thread, after those before it."""
        self._add(step)
        self._work()

    def _step_soon(self, step: Step) -> None:
        self._add(step)
        try:
            self._submit(self._work)
        except RuntimeError:
            log.debug("the service has stopped")

    def _add(self, step: Step) -> None:
        with self._lock:
            self._steps.append(step)

    def _wake(self, conversation: Conversation) -> None:
        with self._lock:
            self._is_to_wake = False
        conversation.woken()

    def _work(self) -> None:
        """Does the steps that wait. Another thread that is at it does them all."""
        conversation = self._conversation
        assert conversation is not None
        while True:
            with self._lock:
                if self._busy or not self._steps:
                    return
                step = self._steps.popleft()
                if self._closed and step is not _end:
                    continue
                self._busy = True
            try:
                with Serving(self._opened_by):
                    self._do(step, conversation)
            finally:
                with self._lock:
                    self._busy = False

    def _do(self, step: Step, conversation: Conversation) -> None:
        try:
            step(conversation)
        except (sqlite3.OperationalError, NoSite) as error:
            log.warning("a socket met a centre that cannot answer now: %s", error)
            self.close(TRY_AGAIN_LATER, "no_site" if isinstance(error, NoSite) else "busy")
        except Exception:
            # The peer gets a close reason, and the log gets the traceback.
            log.exception("a socket failed")
            self.close(INTERNAL_ERROR, INTERNAL)


def _end(conversation: Conversation) -> None:
    conversation.ended()
