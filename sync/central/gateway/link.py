"""The gateway's end of the link to the worker: hands calls over, brings answers back."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sync.central.frames import (
    Accept,
    Answer,
    Call,
    Counted,
    Gone,
    Parked,
    Rest,
    ToGateway,
    ToWorker,
    decode_for_gateway,
    encode,
    take_documents,
)


class NoWorker(Exception):
    """The worker has ended before its answer, or does not start."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer. `rest` is the end of its body, which other answers may have too."""

    answer: Answer
    rest: bytes


Taker = Callable[[ToGateway], None]


class _Asked:
    """A call that was handed over. `release` is called once the worker is no longer busy with it."""

    def __init__(self, release: Callable[[], None]) -> None:
        self.answer: asyncio.Future[Told | Accept] = asyncio.get_running_loop().create_future()
        self.is_parked = False
        self._release = release

    def park(self) -> None:
        """The call waits for news."""
        self.is_parked = True
        self._release()

    def end(self, answer: Told | Accept | None) -> bool:
        """The worker has answered, or has ended. Whether somebody still waits for it."""
        self._release()
        if self.answer.done():
            return False
        if answer is None:
            self.answer.set_exception(NoWorker("the worker has ended"))
        else:
            self.answer.set_result(answer)
        return True


class Link(asyncio.Protocol):
    """The link to one worker. All of it runs on the loop."""

    def __init__(self, take_frame: Taker, take_end: Callable[["Link"], None]) -> None:
        """`take_frame` gets what is no answer to a call. `take_end` is called once, when the worker has ended."""
        self._take_frame = take_frame
        self._take_end = take_end
        self._transport: asyncio.Transport | None = None
        self._is_finished = False
        self._buffer = bytearray()
        self._asked: dict[int, _Asked] = {}
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The link is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Frames of the worker."""
        self._buffer += data
        for document in take_documents(self._buffer):
            self._take(decode_for_gateway(document))

    def connection_lost(self, _: Exception | None) -> None:
        """The worker has ended. Nothing that it was asked gets an answer."""
        self._transport = None
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.end(None)
        self._take_end(self)

    async def ask(self, call: Call, release: Callable[[], None]) -> Told | Accept:
        """Hands a call over and waits for its answer. Raises NoWorker.

        `release` is called when the worker is no longer busy with it: the call is answered, or waits for news.
        Where the caller gives up, the worker is told, and goes on to the end of what it has begun.
        """
        if self._transport is None or self._is_finished:
            release()
            raise NoWorker("there is no worker")
        asked = self._asked[call.number] = _Asked(release)
        self.send(call)
        try:
            return await asked.answer
        except asyncio.CancelledError:
            self.send(Gone(call.number))
            if asked.is_parked:
                self._asked.pop(call.number, None)
            raise

    def finish(self) -> None:
        """Hands over nothing more. The worker answers what it has, and ends."""
        if self._transport is not None and not self._is_finished:
            self._is_finished = True
            self._transport.write_eof()

    def send(self, frame: ToWorker) -> None:
        """Sends a frame. Without effect where there is no worker any more."""
        if self._transport is not None and not self._is_finished:
            self._transport.write(encode(frame))

    def _told(self, answer: Answer | Accept) -> Told | Accept:
        return Told(answer, self._rest if answer.has_rest else b"") if isinstance(answer, Answer) else answer

    def _take(self, frame: ToGateway) -> None:
        if isinstance(frame, Rest):
            self._rest = frame.content
        elif isinstance(frame, Answer | Accept):
            if isinstance(frame, Answer) and frame.counts:
                self._take_frame(Counted(frame.counts))
            asked = self._asked.pop(frame.number, None)
            if asked is not None and not asked.end(self._told(frame)) and isinstance(frame, Accept):
                self.send(Gone(frame.number))  # its client left before the socket was open
        elif isinstance(frame, Parked):
            if (asked := self._asked.get(frame.number)) is not None:
                asked.park()
                if asked.answer.done():
                    self._asked.pop(frame.number)
                    self.send(Gone(frame.number))  # its client left before the call was parked
        else:
            self._take_frame(frame)
