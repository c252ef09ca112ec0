"""The workers of a gateway, each at its place. The first one is the main worker: the others start once it is ready."""

import asyncio
from collections.abc import Callable, Sequence

from sync.central.frames import Begin
from sync.central.gateway.link import Link, Taker
from sync.central.gateway.program import Program, Started
from sync.central.gateway.routing import place_of
from sync.central.gateway.supervisor import Supervisor


class Workers:
    """Keeps every worker running. All of it runs on the loop."""

    def __init__(
        self, programs: Sequence[Program], begin: Begin, take_frame: Taker, take_end: Callable[[Link], None]
    ) -> None:
        """One worker for each program. The rest is as `Supervisor` takes it."""
        self._each = [
            Supervisor(place, program, begin, take_frame, take_end, self._goes_on)
            for place, program in enumerate(programs)
        ]
        self._ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    @property
    def places(self) -> range:
        """The places of the workers."""
        return range(len(self._each))

    async def run(self, first: Started | None = None) -> bool:
        """Starts the workers and waits for the end: True after `stop`, False where no worker can start.

        `first` is the main worker, where that was started and heard already. Raises OSError where it cannot be started.
        """
        main, *others = self._each
        await main.start(first)
        starting = asyncio.create_task(self._start(main, others))
        try:
            return await self._ended
        finally:
            starting.cancel()

    async def wait_ready(self) -> bool:
        """Waits until the main worker takes calls: True, or the service stops."""
        await self._each[0].wait_ready()
        return self._each[0].is_ready

    async def stop(self) -> None:
        """Ends all workers at the same time."""
        await asyncio.gather(*(each.stop() for each in self._each))
        self._end(in_order=True)

    def is_ready(self, place: int) -> bool:
        """Whether the worker of a place takes calls."""
        return self._each[place].is_ready

    def place_for(self, token_id: str) -> int:
        """The place of a bearer's worker, by the id of the token. While that one cannot start, another stands in."""
        place = place_of(token_id, len(self._each))
        if not self._each[place].cannot_start:
            return place
        able = [other for other in self.places if not self._each[other].cannot_start]
        return able[place_of(token_id, len(able))] if able else place

    async def link(self, place: int, seconds: float) -> Link:
        """As `Supervisor.link`, of the worker of a place."""
        return await self._each[place].link(seconds)

    async def _start(self, main: Supervisor, others: Sequence[Supervisor]) -> None:
        await main.wait_ready()
        for each in others:
            await each.start_or_retry()

    def _goes_on(self) -> bool:
        """Whether a worker that could not start is tried again: while another one serves or starts."""
        if not all(each.is_at_rest for each in self._each):
            return True
        self._end(in_order=False)
        return False

    def _end(self, *, in_order: bool) -> None:
        if not self._ended.done():
            self._ended.set_result(in_order)
