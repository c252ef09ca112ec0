"""A TCP proxy that does to connections whatever a bad network can, by a schedule that a test gives it.

Each connection gets one behaviour when it is accepted. What it did is counted in `struck`, so that a test can tell that
a fault has happened and not only been asked for.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset


class Kind(StrEnum):
    """What a connection does."""

    PASS = "pass"
    DELAY = "delay"  # every piece of the answers comes `pause_s` late
    STALL = "stall"  # after so many bytes of the answers nothing comes for `pause_s`, then all of it, as after a loss
    RESET = "reset"  # ends in a reset after so many bytes of the answers
    CUT_REQUEST = "cut_request"  # ends in a reset after so many bytes of the requests
    HALF_OPEN = "half_open"  # is accepted, and that is all
    BLACK_HOLE = "black_hole"  # after so many bytes of the answers nothing comes any more, nor any end
    TRICKLE = "trickle"  # after so many bytes the answers come a byte at a time, `pause_s` apart
    REPEAT = "repeat"  # every request is delivered again `pause_s` later, by another connection


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one connection does; `after` in bytes, `pause_s` in seconds."""

    kind: Kind = Kind.PASS
    after: int = 0
    pause_s: float = 0.0


Schedule = Callable[[int], Behaviour]


def calm(_: int) -> Behaviour:
    """Every connection passes."""
    return Behaviour()


def always(behaviour: Behaviour) -> Schedule:
    """Every connection does that."""
    return lambda _: behaviour


def storm(seed: int, *behaviours: Behaviour) -> Schedule:
    """The n-th connection does one of these, the same one for the same seed; where it acts after some bytes, after any
    number up to that."""

    def chosen(number: int) -> Behaviour:
        chance = random.Random(f"{seed} {number}")
        one = chance.choice(behaviours)
        return Behaviour(one.kind, chance.randint(0, one.after), one.pause_s)

    return chosen


class ChaosProxy:
    """Relays 127.0.0.1:`port` to a target. All methods may be called from any thread."""

    def __init__(self, host: str, port: int, schedule: Schedule = calm) -> None:
        self.target = (host, port)
        self.struck: Counter[Kind] = Counter()
        self.accepted = 0
        self.closing = threading.Event()
        self._schedule = schedule
        self._lock = threading.Lock()
        self._open: set[_Connection] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="chaos proxy", daemon=True)
        self._thread.start()

    def behave(self, schedule: Schedule) -> None:
        """Connections from now on follow that schedule."""
        with self._lock:
            self._schedule = schedule

    def cut(self) -> None:
        """Resets every connection that is open."""
        with self._lock:
            ended = list(self._open)
        for connection in ended:
            connection.end()

    def close(self) -> None:
        """Ends everything."""
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self.cut()

    def note(self, kind: Kind) -> None:
        """A connection has done what it was to do."""
        with self._lock:
            self.struck[kind] += 1

    def forget(self, connection: _Connection) -> None:
        """A connection is over."""
        with self._lock:
            self._open.discard(connection)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                behaviour = self._schedule(self.accepted)
                self.accepted += 1
                connection = _Connection(self, near, behaviour)
                self._open.add(connection)
            threading.Thread(target=connection.run, name=f"chaos {behaviour.kind}", daemon=True).start()


class _Connection:
    """One connection: requests go from `near` to `far`, answers come back."""

    def __init__(self, proxy: ChaosProxy, near: socket.socket, behaviour: Behaviour) -> None:
        self._proxy = proxy
        self._near = near
        self._far: socket.socket | None = None
        self._behaviour = behaviour
        self._swallows = False

    def run(self) -> None:
        with contextlib.suppress(OSError):
            if self._behaviour.kind is Kind.HALF_OPEN:
                self._proxy.note(Kind.HALF_OPEN)
                _drain(self._near)
            else:
                self._relay()
        # Whoever fell into a black hole is not even told that the other end is gone.
        if not self._swallows:
            self.end()

    def end(self) -> None:
        """Resets both ends."""
        for side in (self._near, self._far):
            if side is not None:
                _reset(side)
        self._proxy.forget(self)

    def _relay(self) -> None:
        self._far = socket.create_connection(self._proxy.target, timeout=5)
        self._far.settimeout(None)
        requests = threading.Thread(target=self._requests, args=(self._far,), name="chaos requests", daemon=True)
        requests.start()
        passed = 0
        while data := self._far.recv(_CHUNK):
            if not self._swallows and not self._answer(data, passed):
                return
            passed += len(data)

    def _answer(self, data: bytes, passed: int) -> bool:
        """Passes a piece of the answers on, as far as this connection does; False where it ends here."""
        behaviour = self._behaviour
        if behaviour.kind is Kind.DELAY:
            self._strike_and_wait()
        if behaviour.kind not in _LATE or passed + len(data) <= behaviour.after:
            self._near.sendall(data)
            return True
        first = max(0, behaviour.after - passed)
        self._near.sendall(data[:first])
        return _LATE[behaviour.kind](self, data[first:], passed <= behaviour.after)

    def _stall(self, data: bytes, first_time: bool) -> bool:
        if first_time:
            self._strike_and_wait()
        self._near.sendall(data)
        return True

    def _stop_in_mid_answer(self, data: bytes, first_time: bool) -> bool:
        self._proxy.note(Kind.RESET)
        return False

    def _swallow(self, data: bytes, first_time: bool) -> bool:
        self._proxy.note(Kind.BLACK_HOLE)
        self._swallows = True
        return True

    def _trickle(self, data: bytes, first_time: bool) -> bool:
        for each in data:
            self._strike_and_wait()
            self._near.sendall(bytes([each]))
        return True

    def _strike_and_wait(self) -> None:
        self._proxy.note(self._behaviour.kind)
        if self._proxy.closing.wait(self._behaviour.pause_s):
            raise OSError

    def _requests(self, far: socket.socket) -> None:
        seen, whole, left = 0, _Requests(), self._behaviour.after
        with contextlib.suppress(OSError):
            while data := self._near.recv(_CHUNK):
                if self._behaviour.kind is Kind.CUT_REQUEST and seen + len(data) > left:
                    far.sendall(data[: left - seen])
                    self._proxy.note(Kind.CUT_REQUEST)
                    break
                if not self._swallows:
                    far.sendall(data)
                seen += len(data)
                if self._behaviour.kind is Kind.REPEAT:
                    for request in whole.after(data):
                        threading.Thread(target=self._repeat, args=(request,), name="chaos repeat", daemon=True).start()
        if not self._swallows:
            _hang_up(far)

    def _repeat(self, request: bytes) -> None:
        if self._proxy.closing.wait(self._behaviour.pause_s):
            return
        with contextlib.suppress(OSError), socket.create_connection(self._proxy.target, timeout=5) as again:
            again.sendall(request)
            if again.recv(_CHUNK):
                self._proxy.note(Kind.REPEAT)


_LATE: dict[Kind, Callable[[_Connection, bytes, bool], bool]] = {
    Kind.STALL: _Connection._stall,
    Kind.RESET: _Connection._stop_in_mid_answer,
    Kind.BLACK_HOLE: _Connection._swallow,
    Kind.TRICKLE: _Connection._trickle,
}


class _Requests:
    """Finds the whole HTTP/1.1 requests in what a client sends, by their Content-Length."""

    def __init__(self) -> None:
        self._held = b""

    def after(self, data: bytes) -> list[bytes]:
        """The requests that end in this piece."""
        self._held += data
        found = []
        while (head := self._held.find(b"\r\n\r\n")) >= 0:
            length = 0
            for line in self._held[:head].lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            end = head + 4 + length
            if len(self._held) < end:
                break
            found.append(self._held[:end])
            self._held = self._held[end:]
        return found


def _drain(side: socket.socket) -> None:
    while side.recv(_CHUNK):
        pass


def _hang_up(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)


def _reset(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        side.shutdown(socket.SHUT_RD)  # whoever waits for it in another thread wakes up
    side.close()
