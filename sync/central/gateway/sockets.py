"""The WebSockets (RFC 6455) that the gateway holds. Their conversations are the worker's."""

import asyncio
import time
from contextlib import suppress

from aiohttp import WSMsgType, web

from sync.central.frames import Accept, Close, Gone, Message, Send, Taken, ToGateway
from sync.central.gateway.connection import Connection
from sync.central.gateway.link import Link
from sync.central.gateway.refusals import own_headers
from sync.central.metrics.availability import Availability

MAX_MESSAGE = 16 * 1024  # bytes
SEND_S = 10.0  # for a client to take a message
PAUSE_S = 0.01  # at most, between two sockets that end because the service does
CLOSE_S = 1.0  # for a client to close its side
GOING_AWAY, TRY_AGAIN_LATER = 1001, 1013  # IANA's registry of close codes
_COME_BACK = frozenset({GOING_AWAY, 1011, TRY_AGAIN_LATER})  # after which a client is to open another socket


class Sockets:
    """The open WebSockets, by the number of the call that opened them."""

    def __init__(self, ping_every_s: float, availability: Availability) -> None:
        self._ping_every_s = ping_every_s
        self._availability = availability
        self._open: dict[int, OpenSocket] = {}

    def take(self, frame: ToGateway) -> None:
        """What the worker says to a WebSocket. Without effect where its client has left."""
        if isinstance(frame, Send | Taken | Close) and (found := self._open.get(frame.number)) is not None:
            found.take(frame)

    def open(self, number: int, link: Link, bearer: str | None) -> "OpenSocket":
        """A socket that is about to open, with the id of its token. What the worker sends waits until it is open."""
        session = Session(self._availability, bearer or "")
        made = self._open[number] = OpenSocket(number, link, self._ping_every_s, session)
        return made

    def forget(self, number: int) -> None:
        """The socket has ended, or did not open."""
        self._open.pop(number, None)

    def end_all(self, link: Link) -> None:
        """Ends the sockets of a worker that has ended."""
        for each in list(self._open.values()):
            if each.link is link:
                each.take(Close(each.number, TRY_AGAIN_LATER, "busy"))

    async def let_go(self, seconds: float) -> None:
        """Ends all sockets one after another within a time: their clients do not all come back at the same moment."""
        leaving = list(self._open.values())
        for each in leaving:
            each.take(Close(each.number, GOING_AWAY, "stopping"))
            await asyncio.sleep(min(PAUSE_S, seconds / len(leaving)))


class Session:
    """The connected time of one WebSocket."""

    def __init__(self, availability: Availability, bearer: str) -> None:
        self._availability = availability
        self._bearer = bearer
        self._begun_s: float | None = None

    def begin(self) -> None:
        """The socket is open."""
        self._begun_s = time.monotonic()
        self._availability.begin(self._bearer, self._begun_s)

    def end(self, *, is_goodbye: bool) -> None:
        """The socket has ended, or did not open. Nobody knows whether a client without a token comes back."""
        if self._begun_s is not None:
            is_goodbye = is_goodbye or not self._bearer
            self._availability.end(self._bearer, self._begun_s, time.monotonic(), is_goodbye=is_goodbye)


class OpenSocket:
    """One WebSocket. A client that sends is read no further than the message that is being answered."""

    def __init__(self, number: int, link: Link, ping_every_s: float, session: Session) -> None:
        self._ping_every_s = ping_every_s
        self._session = session
        self.number = number
        self.link = link
        self._websocket: web.WebSocketResponse | None = None
        self._connection: Connection | None = None
        self._waiting: dict[str, str] = {}
        self._unnamed = 0
        self._close: Close | None = None
        self._has_left = False  # the client has closed the socket itself
        self._taken = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None

    async def serve(self, request: web.BaseRequest, accept: Accept) -> web.StreamResponse:
        """Opens the socket and serves it until it ends."""
        websocket = web.WebSocketResponse(
            timeout=CLOSE_S,
            heartbeat=self._ping_every_s,
            protocols=(accept.subprotocol,) if accept.subprotocol else (),
            compress=False,
            max_msg_size=MAX_MESSAGE,
        )
        websocket.headers.update(own_headers())
        try:
            await websocket.prepare(request)
            assert isinstance(request.protocol, Connection)
            self._connection = request.protocol
            self._websocket = websocket
            self._session.begin()
            self._send_waiting()
            await self._read(websocket)
            if self._sending is not None:
                await self._sending
        finally:
            self._session.end(is_goodbye=self._is_goodbye())
            self.link.send(Gone(self.number))
            if self._sending is not None:
                self._sending.cancel()
        return websocket

    def take(self, frame: Send | Taken | Close) -> None:
        """What the worker says."""
        if isinstance(frame, Taken):
            self._taken.set()
            return
        if isinstance(frame, Close):
            self._close = frame
        else:
            self._unnamed += 1
            # A newer one takes the older one's place in the line, so a client that reads slowly misses nothing newer.
            self._waiting[frame.stands_for or str(self._unnamed)] = frame.text
        self._send_waiting()

    def _is_goodbye(self) -> bool:
        """Whether either end has closed the socket for good."""
        return self._has_left if self._close is None else self._close.code not in _COME_BACK

    async def _read(self, websocket: web.WebSocketResponse) -> None:
        while (message := await websocket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._taken.clear()
            data = message.data
            self.link.send(Message(self.number, data.encode() if isinstance(data, str) else data))
            await self._taken.wait()
        self._has_left = message.type is WSMsgType.CLOSE

    def _send_waiting(self) -> None:
        if self._websocket is not None and (self._sending is None or self._sending.done()):
            self._sending = asyncio.get_running_loop().create_task(self._send(self._websocket))

    async def _send(self, websocket: web.WebSocketResponse) -> None:
        with suppress(ConnectionError):
            try:
                while self._waiting:
                    text = self._waiting.pop(next(iter(self._waiting)))
                    async with asyncio.timeout(SEND_S):
                        await websocket.send_str(text)
                if self._close is not None:
                    self._taken.set()
                    await websocket.close(code=self._close.code, message=self._close.reason.encode())
            except TimeoutError:
                if self._connection is not None:
                    self._connection.end()
