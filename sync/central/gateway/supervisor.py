"""Keeps the worker of one place running, and gives its link to those who have a call for it."""

import asyncio
import logging
from collections.abc import Callable

from sync.central.frames import Begin, Counted, Ending, NotOpened, Opened, Ready, ToGateway
from sync.central.gateway.link import Link, NoWorker, Taker
from sync.central.gateway.program import GRACE_S, Program, Running, Started, start

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0  # from a start that failed to the next one; each further pause is twice as long
LONGEST_PAUSE_S = 30.0
_NO_REASON = "it ended before it was ready"


class Supervisor:
    """Starts a worker, and starts it again where it ended by itself or could not start."""

    def __init__(
        self,
        place: int,
        program: Program,
        begin: Begin,
        take_frame: Taker,
        take_end: Callable[[Link], None],
        goes_on: Callable[[], bool],
    ) -> None:
        """Each worker gets the same `begin`: settings that change meanwhile count from the next start of the service.

        `take_frame` gets what the worker says unasked, `take_end` the link of a worker that has ended. `goes_on` is
        called where the worker could not start, and says whether to try again.
        """
        self._place = place
        self._program = program
        self._begin = begin
        self._take_frame = take_frame
        self._take_end = take_end
        self._goes_on = goes_on
        self.is_at_rest = True  # neither running nor about to be
        self.cannot_start = False  # since the last try, until it is ready
        self._link: Link | None = None
        self._running: Running | None = None
        self._ready = asyncio.Event()
        self._was_ready = False  # the worker that is ending
        self._reason = _NO_REASON  # of the last start that failed
        self._pause_s = FIRST_PAUSE_S
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_ready(self) -> bool:
        """Whether the worker takes calls."""
        return self._ready.is_set() and self._link is not None

    async def start(self, first: Started | None = None) -> None:
        """Starts the worker, or takes over one that has been heard already. Raises OSError."""
        if self._stopping:
            return
        self.is_at_rest = False
        worker = first or start(self._program)
        worker.link.setblocking(False)
        self._running = worker.running
        made = self._link = Link(self._take, self._after_end)
        await asyncio.get_running_loop().create_connection(lambda: made, sock=worker.link)
        if first is not None:
            made.send(self._begin)

    async def start_or_retry(self) -> None:
        """Starts the worker. Where that is not possible, it is tried again."""
        try:
            await self.start()
        except OSError as error:  # the machine has no process or no file left
            self._reason = str(error)
            self._fail()

    async def wait_ready(self) -> None:
        """Waits until the worker takes calls, or the service stops."""
        await self._ready.wait()

    async def link(self, seconds: float) -> Link:
        """The link to the worker once it is ready. It may take so long to start. Raises NoWorker."""
        if not self._ready.is_set():
            try:
                await asyncio.wait_for(self._ready.wait(), seconds)
            except TimeoutError as error:
                raise NoWorker("no worker is ready") from error
        if self._link is None:
            raise NoWorker("the service stops")
        return self._link

    async def stop(self) -> None:
        """Ends the worker in order; by force after a while."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._link is not None:
            self._link.finish()
        if self._running is not None:
            await asyncio.to_thread(self._running.wait, GRACE_S)
        self._ready.set()  # who waits for a worker learns that there is none

    def _take(self, frame: ToGateway) -> None:
        if isinstance(frame, Counted):  # the most frequent
            self._take_frame(frame)
        elif isinstance(frame, Ready):
            self._pause_s, self.cannot_start = FIRST_PAUSE_S, False
            self._ready.set()
        elif isinstance(frame, Opened):
            assert self._link is not None
            self._link.send(self._begin)
        elif isinstance(frame, NotOpened):
            self._reason = frame.reason
        elif isinstance(frame, Ending):
            self._finish()
        else:
            self._take_frame(frame)

    def _finish(self) -> None:
        """Hands over nothing more to this worker: what comes waits for the next one."""
        self._was_ready = True
        self._ready.clear()
        if self._link is not None:
            self._link.finish()

    def _after_end(self, link: Link) -> None:
        self._take_end(link)
        self._link = None
        if self._stopping:
            return
        was_ready = self._ready.is_set() or self._was_ready
        self._was_ready = False
        self._ready.clear()
        if was_ready:
            log.error("worker %s has ended by itself, and is started again", self._place)
            self._start_soon(0.0)
        else:
            self._fail()

    def _fail(self) -> None:
        """The worker could not start."""
        self.is_at_rest = self.cannot_start = True
        reason, self._reason = self._reason, _NO_REASON
        if not self._goes_on():
            log.critical("%s", reason)
            return
        log.error("worker %s cannot start, and is tried again in %.0f s: %s", self._place, self._pause_s, reason)
        self._start_soon(self._pause_s)
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def _start_soon(self, pause_s: float) -> None:
        starting = asyncio.get_running_loop().create_task(self._start_again(pause_s, self._running))
        self._tasks.add(starting)
        starting.add_done_callback(self._tasks.discard)

    async def _start_again(self, pause_s: float, ended: Running | None) -> None:
        if ended is not None:
            await asyncio.to_thread(ended.wait, GRACE_S)
        await asyncio.sleep(pause_s)
        await self.start_or_retry()
