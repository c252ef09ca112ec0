"""Where connections wait until the head of their request is whole. They hold no thread here.

Any process of the machine can open connections and send nothing, or a byte now and then. One thread accepts all,
watches all, and hands on those that have asked something. Where the room is full, a newcomer takes the place of the
oldest, which has had a moment to ask. Until then newcomers wait outside, so a crowd that comes again and again turns
nobody out who has just come.
"""

import re
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

HEAD_BYTES = 16 * 1024  # what is more goes to its handler, which refuses it
POLL_S = 0.05  # how soon the thread notices a deadline, and the order to stop
_END = re.compile(rb"\r?\n\r?\n")
_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_PEER_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


@dataclass(frozen=True, slots=True)
class Arrival:
    """A connection whose request has its head. The whole request has to be there at `deadline` (monotonic, seconds)."""

    connection: socket.socket
    address: Any
    deadline: float
    head: bytes = b""


class WaitingRoom:
    """The room behind one listening socket, for at most `limit` connections.

    `call` gets each connection that has asked something, and owns it from then on. A connection has `request_s` seconds
    from its beginning, and `moment_s` in which no other one takes its place.
    """

    def __init__(
        self,
        listening: socket.socket,
        limit: int,
        request_s: float,
        moment_s: float,
        call: Callable[[Arrival], None],
    ) -> None:
        self._listening = listening
        self._moment_s = moment_s
        self._limit = limit
        self._request_s = request_s
        self._call = call
        self._waiting: dict[int, Arrival] = {}  # by file descriptor, oldest first
        self._stopped = threading.Event()

    @property
    def count(self) -> int:
        """How many connections wait."""
        return len(self._waiting)

    def stop(self) -> None:
        """Has `run` return soon."""
        self._stopped.set()

    def run(self) -> None:
        """Accepts and watches until `stop`. Then every connection that waits is closed."""
        self._listening.setblocking(False)
        with select.epoll() as watched:
            watched.register(self._listening, select.EPOLLIN)
            while not self._stopped.is_set():
                for file, events in watched.poll(POLL_S):
                    if file in self._waiting:
                        self._look(watched, file, events)
                self._give_up_late()
                self._accept(watched)
            while self._waiting:
                self._turn_out_oldest()

    def _accept(self, watched: select.epoll) -> None:
        # A part of the room at a time: a connection whose request has come is read before a crowd can take its place.
        for _ in range(max(1, self._limit // 4)):
            if self._is_closed:
                break
            try:
                connection, address = self._listening.accept()
            except BlockingIOError:
                break
            except OSError:  # no file descriptor is left, or the peer has gone
                self._turn_out_oldest()
                break
            while len(self._waiting) >= self._limit:
                self._turn_out_oldest()
            self._waiting[connection.fileno()] = Arrival(connection, address, time.monotonic() + self._request_s)
            watched.register(connection, _READ)
        watched.modify(self._listening, 0 if self._is_closed else select.EPOLLIN)

    @property
    def _is_closed(self) -> bool:
        """Whether the room is full, and nobody in it has had the moment to ask."""
        if len(self._waiting) < self._limit:
            return False
        begun = next(iter(self._waiting.values())).deadline - self._request_s
        return time.monotonic() < begun + self._moment_s

    def _look(self, watched: select.epoll, file: int, events: int) -> None:
        arrival = self._waiting[file]
        try:
            # The bytes stay in the socket, for the handler of the request.
            head = arrival.connection.recv(HEAD_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:  # the peer has cut the connection
            head = b""
        if head and not (_END.search(head) or len(head) == HEAD_BYTES or events & _PEER_ENDED):
            return
        del self._waiting[file]
        watched.unregister(file)
        if head:
            self._call(Arrival(arrival.connection, arrival.address, arrival.deadline, head))
        else:
            arrival.connection.close()

    def _give_up_late(self) -> None:
        while self._waiting and next(iter(self._waiting.values())).deadline <= time.monotonic():
            self._turn_out_oldest()

    def _turn_out_oldest(self) -> None:
        if self._waiting:
            # epoll forgets a connection that is closed.
            self._waiting.pop(next(iter(self._waiting))).connection.close()
