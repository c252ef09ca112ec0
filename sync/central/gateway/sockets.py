"""The WebSockets (RFC 6455) that the gateway holds. Their conversations are the worker's."""

import asyncio
from contextlib import suppress

from aiohttp import WSMsgType, web

from sync.central.frames import Accept, Close, Gone, Message, Send, Taken, ToGateway
from sync.central.gateway.connection import Connection
from sync.central.gateway.link import Link
from sync.central.gateway.refusals import own_headers

MAX_MESSAGE = 16 * 1024  # bytes
SEND_S = 10.0  # for a client to take a message
PAUSE_S = 0.01  # at most, between two sockets that end because the service does
CLOSE_S = 1.0  # for a client to close its side
GOING_AWAY, TRY_AGAIN_LATER = 1001, 1013  # IANA's registry of close codes


class Sockets:
    """The open WebSockets, by the number of the call that opened them."""

    def __init__(self, ping_every_s: float) -> None:
        self._ping_every_s = ping_every_s
        self._open: dict[int, OpenSocket] = {}

    def take(self, frame: ToGateway) -> None:
        """What the worker says to a WebSocket. Without effect where its client has left."""
        if isinstance(frame, Send | Taken | Close) and (found := self._open.get(frame.number)) is not None:
            found.take(frame)

    def open(self, number: int, link: Link) -> "OpenSocket":
        """A socket that is about to open. What the worker sends to it waits until it is open."""
        made = self._open[number] = OpenSocket(number, link, self._ping_every_s)
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


class OpenSocket:
    """One WebSocket. A client that sends is read no further than the message that is being answered."""

    def __init__(self, number: int, link: Link, ping_every_s: float) -> None:
        self._ping_every_s = ping_every_s
        self.number = number
        self.link = link
        self._websocket: web.WebSocketResponse | None = None
        self._connection: Connection | None = None
        self._waiting: dict[str, str] = {}
        self._unnamed = 0
        self._close: Close | None = None
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
            self._send_waiting()
            await self._read(websocket)
            if self._sending is not None:
                await self._sending
        finally:
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

    async def _read(self, websocket: web.WebSocketResponse) -> None:
        async for message in websocket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._taken.clear()
                data = message.data
                self.link.send(Message(self.number, data.encode() if isinstance(data, str) else data))
                await self._taken.wait()

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
