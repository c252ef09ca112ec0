"""Keeps a worker running, and gives its link to those who have a call for it."""

import asyncio
import logging
from collections.abc import Callable

from sync.central.frames import Begin, Ending, NotOpened, Opened, Ready, ToGateway
from sync.central.gateway.link import Link, NoWorker, Taker
from sync.central.gateway.program import GRACE_S, Program, Running, Started, start

log = logging.getLogger(__name__)


class Supervisor:
    """Starts the worker, and starts it again where it ended by itself."""

    def __init__(self, program: Program, begin: Begin, take_frame: Taker, take_end: Callable[[Link], None]) -> None:
        """Each worker gets the same `begin`: settings that change meanwhile count from the next start of the service.

        `take_frame` gets what the worker says unasked, `take_end` the link of a worker that has ended.
        """
        self._program = program
        self._begin = begin
        self._take_frame = take_frame
        self._take_end = take_end
        self._link: Link | None = None
        self._running: Running | None = None
        self._is_ready = asyncio.Event()
        self._was_ready = False  # the worker that is ending
        self._stopping = False
        self._ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, first: Started | None = None) -> None:
        """Starts a worker, or takes over a first one that has been heard already. Raises OSError."""
        worker = first or start(self._program)
        worker.link.setblocking(False)
        self._running = worker.running
        made = self._link = Link(self._take, self._after_end)
        await asyncio.get_running_loop().create_connection(lambda: made, sock=worker.link)
        if first is not None:
            made.send(self._begin)

    async def link(self, seconds: float) -> Link:
        """The link to a worker that is ready. A worker may take so long to start. Raises NoWorker."""
        if not self._is_ready.is_set():
            try:
                await asyncio.wait_for(self._is_ready.wait(), seconds)
            except TimeoutError as error:
                raise NoWorker("no worker is ready") from error
        if self._link is None:
            raise NoWorker("the service stops")
        return self._link

    async def run(self) -> bool:
        """Waits for the end: True after `stop`, False where a worker ended before it was ready."""
        return await self._ended

    async def stop(self) -> None:
        """Ends the worker in order; by force after a while."""
        self._stopping = True
        if self._link is not None:
            self._link.finish()
        if self._running is not None:
            await asyncio.to_thread(self._running.wait, GRACE_S)
        self._end(in_order=True)

    def _take(self, frame: ToGateway) -> None:
        if isinstance(frame, Ready):
            self._is_ready.set()
        elif isinstance(frame, Opened):
            assert self._link is not None
            self._link.send(self._begin)
        elif isinstance(frame, NotOpened):
            log.critical("%s", frame.reason)
        elif isinstance(frame, Ending):
            self._finish()
        else:
            self._take_frame(frame)

    def _finish(self) -> None:
        """Hands over nothing more to this worker: what comes waits for the next one."""
        self._was_ready = True
        self._is_ready.clear()
        if self._link is not None:
            self._link.finish()

    def _after_end(self, link: Link) -> None:
        self._take_end(link)
        self._link = None
        if self._stopping:
            return
        if not (self._is_ready.is_set() or self._was_ready):
            self._end(in_order=False)
            return
        self._was_ready = False
        self._is_ready.clear()
        replacing = asyncio.get_running_loop().create_task(self._replace(self._running))
        self._tasks.add(replacing)
        replacing.add_done_callback(self._tasks.discard)

    async def _replace(self, ended: Running | None) -> None:
        if ended is not None:
            await asyncio.to_thread(ended.wait, GRACE_S)
        if self._stopping:
            return
        log.error("the worker has ended by itself, and is started again")
        await self.start()

    def _end(self, *, in_order: bool) -> None:
        self._is_ready.set()  # who waits for a worker learns that there is none
        if not self._ended.done():
            self._ended.set_result(in_order)
