"""Whose call goes to a worker next: each address in turn, and only so many calls at a time.

A client that sends a thousand calls at once waits behind its own, and others behind one of them.
"""

import asyncio
from collections import Counter, deque


class Turns:
    """At most `width` calls are with each worker at a time. The others wait for it, each address in turn."""

    def __init__(self, width: int, most_waiting: int, workers: int) -> None:
        """At most `most_waiting` calls of an address wait, in all."""
        self._most_waiting = most_waiting
        self._waits: Counter[str] = Counter()
        self._lines = [_Line(width) for _ in range(workers)]

    def busy(self, place: int) -> int:
        """The number of calls that are with a worker or wait for it."""
        return self._lines[place].busy

    async def take(self, place: int, address: str) -> bool:
        """Waits for a turn with a worker. False at once where too many calls of the address wait already."""
        line = self._lines[place]
        if line.take():
            return True
        if self._waits[address] >= self._most_waiting:
            return False
        self._waits[address] += 1
        try:
            await line.wait(address)
        finally:
            self._waits[address] -= 1
            if not self._waits[address]:
                del self._waits[address]
        return True

    def give_back(self, place: int) -> None:
        """Ends a turn: the next call goes to that worker."""
        self._lines[place].give_back()


class _Line:
    """The turns with one worker."""

    def __init__(self, width: int) -> None:
        self._free = width
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # in the order of the next turn
        self.busy = 0

    def take(self) -> bool:
        """Takes a turn where one is free."""
        if self._free == 0:
            return False
        self._free -= 1
        self.busy += 1
        return True

    async def wait(self, address: str) -> None:
        """Waits for a turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, deque()).append(turn)
        self.busy += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            else:
                self.busy -= 1
            raise

    def give_back(self) -> None:
        """Ends a turn: the next call goes."""
        self.busy -= 1
        while self._waiting:
            address = next(iter(self._waiting))
            line = self._waiting.pop(address)
            turn = line.popleft()
            if line:
                self._waiting[address] = line  # behind the others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
