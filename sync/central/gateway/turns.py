"""Whose call goes to the worker next: each address in turn, and only so many calls at a time.

A client that sends a thousand calls at once waits behind its own, and others behind one of them.
"""

import asyncio
from collections import deque


class Turns:
    """At most `width` calls are with the worker at a time. The others wait, each address in turn."""

    def __init__(self, width: int, most_waiting: int) -> None:
        """At most `most_waiting` calls of an address wait."""
        self._free = width
        self._most_waiting = most_waiting
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # in the order of the next turn

    async def take(self, address: str) -> bool:
        """Waits for a turn. False at once where too many calls of the address wait already."""
        if self._free > 0:
            self._free -= 1
            return True
        line = self._waiting.setdefault(address, deque())
        if len(line) >= self._most_waiting:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise
        return True

    def give_back(self) -> None:
        """Ends a turn: the next call goes."""
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
