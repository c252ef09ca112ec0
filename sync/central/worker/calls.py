"""Answers the frames of the gateway, on a few threads.

The threads take turns at reading. The one that has read a frame answers it, and the next one reads. So no call waits
for a hand-over between threads, and no more are read than there are threads.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from wsgiref.types import WSGIApplication

from msgspec.structs import replace

from sync.central.frames import (
    LENGTH_SIZE,
    Answer,
    Call,
    Counted,
    Ending,
    Gone,
    Message,
    Parked,
    Part,
    Ready,
    Rest,
    ToGateway,
    ToWorker,
    Want,
    decode_for_worker,
    encode,
    length_of,
)
from sync.central.metrics.counts import Counts
from sync.central.web.later import LATER, LateResponse
from sync.central.web.socket_offer import OFFER
from sync.central.worker.afterwork import Afterwork
from sync.central.worker.environ import answer_of, encoded, environ_of
from sync.central.worker.sockets import HeldSockets
from sync.central.worker.uploads import Upload
from sync.logs import Serving

log = logging.getLogger(__name__)

# Of a worker. The gateway hands over sixteen calls at a time; the others serve WebSockets' messages meanwhile.
THREADS = 20
_FAILED = 500
_REQUEST_ID = "HTTP_X_REQUEST_ID"  # the gateway gives each call one


class Calls:
    """The worker's end of the link, for one application."""

    def __init__(
        self,
        link: socket.socket,
        application: WSGIApplication,
        when_ended: Callable[[], None],
        counts: Counts,
    ) -> None:
        """`when_ended` is called when the gateway has ended the link, once or several times.

        What is in `counts` goes to the gateway.
        """
        self._link = link
        self._when_ended = when_ended
        self._counts = counts
        self._stream: BinaryIO = link.makefile("rb")
        self._application = application
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._rest = b""  # what the gateway has of the last body that was told to many
        self._parked = threading.Condition()
        self._later: dict[int, _Later] = {}
        self._uploads: dict[int, Upload] = {}
        self._afterwork = Afterwork()
        self._sockets = HeldSockets(self._send, self._afterwork)
        self._threads = [threading.Thread(target=self._work, name=f"call-{n}", daemon=True) for n in range(THREADS)]

    def start(self) -> None:
        """Tells the gateway that the worker is ready, and answers from now on."""
        self._send(Ready())
        for thread in self._threads:
            thread.start()

    def ask_for_end(self) -> None:
        """Asks the gateway to hand over no more calls and to end the link."""
        self._send(Ending())

    def join(self, seconds: float) -> None:
        """Waits until what the gateway has asked is answered, also by those who wait for news; so long at most."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        with self._parked:
            self._parked.wait_for(lambda: not self._later, max(0.0, until - time.monotonic()))

    def end_sockets(self) -> None:
        """Closes every WebSocket; those that open later close at once."""
        self._sockets.stop()

    def _work(self) -> None:
        while (frame := self._next()) is not None:
            try:
                with self._afterwork.after_call():
                    self._take(frame)
            except OSError:
                log.debug("the gateway has left")
        self._when_ended()

    def _next(self) -> ToWorker | None:
        with self._reading:
            try:
                head = self._stream.read(LENGTH_SIZE)
                document = self._stream.read(length_of(head)) if len(head) == LENGTH_SIZE else b""
            except OSError:
                return None
        return decode_for_worker(document) if document else None

    def _take(self, frame: ToWorker) -> None:
        if isinstance(frame, Call):
            environ = environ_of(frame)
            with Serving(environ.get(_REQUEST_ID, "")), self._receiving(frame, environ):
                self._answer(frame, environ)
        elif isinstance(frame, Part):
            if (upload := self._uploads.get(frame.number)) is not None:
                upload.take(frame)
        elif isinstance(frame, Message):
            self._sockets.take(frame)
        elif isinstance(frame, Gone):
            later = self._unpark(frame.number)
            if later is not None:
                later.end()
            if (upload := self._uploads.get(frame.number)) is not None:
                upload.end()
            self._sockets.forget(frame.number)

    @contextmanager
    def _receiving(self, call: Call, environ: dict[str, Any]) -> Iterator[None]:
        """Has the body of an upload come part by part while the call is answered."""
        if not call.is_upload:
            yield
            return
        upload = self._uploads[call.number] = Upload(lambda: self._send(Want(call.number)))
        environ["wsgi.input"] = upload
        try:
            yield
        finally:
            del self._uploads[call.number]

    def _answer(self, call: Call, environ: dict[str, Any]) -> None:
        later = environ[LATER] = _Later(call.number, self._deliver, self._park)
        offer = environ[OFFER] = self._sockets.offer(call.number) if call.is_socket else None
        answer = self._ask(environ, call.number)
        if offer is not None and offer.is_accepted:
            self._sockets.open(offer)
        elif not later.is_taken:
            self._send(answer)

    def _ask(self, environ: dict[str, Any], number: int) -> Answer:
        try:
            return answer_of(self._application, environ, number)
        except Exception:
            log.exception("a call failed")  # Flask has answered for its own
            return Answer(number, _FAILED, [], b"")

    def _park(self, later: "_Later") -> None:
        with self._parked:
            self._later[later.number] = later
        self._send(Parked(later.number))

    def _unpark(self, number: int) -> "_Later | None":
        with self._parked:
            later = self._later.pop(number, None)
            self._parked.notify_all()
        return later

    def _deliver(self, number: int, response: LateResponse) -> None:
        answer = Answer(number, response.status, encoded(response.headers), response.body, bool(response.rest))
        try:
            self._send_with_rest(answer, response.rest)
        except OSError:
            log.debug("the gateway has left")
        self._unpark(number)

    def _send_with_rest(self, answer: Answer, rest: bytes) -> None:
        with self._writing:
            document = self._encoded(answer)
            if rest and rest is not self._rest:
                document, self._rest = encode(Rest(rest)) + document, rest
            self._link.sendall(document)

    def _send(self, frame: ToGateway) -> None:
        with self._writing:
            self._link.sendall(self._encoded(frame))

    def _encoded(self, frame: ToGateway) -> bytes:
        """A frame with what was counted before it. The caller holds `_writing`: no later answer overtakes a count."""
        counts = self._counts.take()
        if not counts:
            return encode(frame)
        if isinstance(frame, Answer):
            return encode(replace(frame, counts=counts))
        return encode(Counted(counts)) + encode(frame)


class _Later:
    """One call whose response may leave later."""

    def __init__(
        self, number: int, deliver: Callable[[int, LateResponse], None], park: Callable[["_Later"], None]
    ) -> None:
        self.number = number
        self.is_taken = False
        self._deliver = deliver
        self._park = park
        self._lock = threading.Lock()
        self._callback: Callable[[], None] | None = None
        self._has_ended = False

    def take(self) -> Callable[[LateResponse], None]:
        """Takes the response over from the view."""
        self.is_taken = True
        self._park(self)
        return lambda response: self._deliver(self.number, response)

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when the client has left."""
        with self._lock:
            self._callback = callback
            has_ended = self._has_ended
        if has_ended:
            callback()

    def end(self) -> None:
        """The client has left."""
        with self._lock:
            self._has_ended = True
            callback = self._callback
        if callback is not None:
            callback()
