"""The demo's wire with the faults of a bad network, by the schedule of a test.

Each connection gets one behaviour when it is accepted. `struck` counts the faults that have happened, so that a test
can wait for them.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from kiosk.demo.wire import CHUNK, Relay, Wire, hang_up


class Kind(StrEnum):
    """What a connection does."""

    PASS = "pass"
    DELAY = "delay"  # each piece of the answers comes `pause_s` late
    STALL = "stall"  # after `after` bytes of the answers nothing comes for `pause_s`, as after a loss
    RESET = "reset"  # it ends in a reset after `after` bytes of the answers
    CUT_REQUEST = "cut_request"  # it ends in a reset after `after` bytes of the requests
    HALF_OPEN = "half_open"  # it is accepted, and no byte passes
    BLACK_HOLE = "black_hole"  # after `after` bytes of the answers no byte comes, and the connection stays open
    TRICKLE = "trickle"  # after `after` bytes the answers come byte by byte, `pause_s` apart
    REPEAT = "repeat"  # each request is delivered again after `pause_s`, over another connection


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
    """Every connection has this behaviour."""
    return lambda _: behaviour


def storm(seed: int, *behaviours: Behaviour) -> Schedule:
    """The n-th connection has one of these behaviours, the same one for the same seed. Its `after` is a number up to
    the given one."""

    def behaviour_of(number: int) -> Behaviour:
        chance = random.Random(f"{seed} {number}")
        one = chance.choice(behaviours)
        return Behaviour(one.kind, chance.randint(0, one.after), one.pause_s)

    return behaviour_of


class ChaosProxy(Wire):
    """A wire that follows a schedule. Any thread may call any method."""

    def __init__(self, host: str, port: int, schedule: Schedule = calm) -> None:
        self.struck: Counter[Kind] = Counter()
        self.accepted = 0
        self.closing = threading.Event()
        self._schedule = schedule
        self._counting = threading.Lock()
        super().__init__(host, port)

    def behave(self, schedule: Schedule) -> None:
        """Connections from now on follow this schedule."""
        self._schedule = schedule

    def close(self) -> None:
        """Ends everything."""
        self.closing.set()
        super().close()

    def relay(self, near: socket.socket) -> Relay:
        """A connection with the next behaviour of the schedule."""
        behaviour = self._schedule(self.accepted)
        self.accepted += 1
        return _ChaosRelay(self, near, behaviour)

    def note(self, kind: Kind) -> None:
        """Counts a behaviour that has taken effect on a connection."""
        with self._counting:
            self.struck[kind] += 1


class _ChaosRelay(Relay):
    """One connection with its behaviour."""

    def __init__(self, proxy: ChaosProxy, near: socket.socket, behaviour: Behaviour) -> None:
        super().__init__(near, proxy.target)
        self._proxy = proxy
        self._behaviour = behaviour
        self._swallows = False

    def run(self) -> None:
        if self._behaviour.kind is not Kind.HALF_OPEN:
            super().run()
            return
        self._proxy.note(Kind.HALF_OPEN)
        with contextlib.suppress(OSError):
            while self.near.recv(CHUNK):
                pass
        self.end()

    def end(self) -> None:
        # A client in a black hole never learns that the other end is gone.
        if not self._swallows:
            self.reset()

    def pass_answers(self, far: socket.socket) -> None:
        passed = 0
        while data := far.recv(CHUNK):
            if not self._swallows and not self._answer(data, passed):
                return
            passed += len(data)

    def _answer(self, data: bytes, passed: int) -> bool:
        """Passes a piece of the answers on, as the behaviour says. Returns whether the connection goes on."""
        behaviour = self._behaviour
        if behaviour.kind is Kind.DELAY:
            self._strike_and_wait()
        if behaviour.kind not in _LATE or passed + len(data) <= behaviour.after:
            self.near.sendall(data)
            return True
        untouched = max(0, behaviour.after - passed)
        self.near.sendall(data[:untouched])
        return _LATE[behaviour.kind](self, data[untouched:], passed <= behaviour.after)

    def _stall(self, data: bytes, first_time: bool) -> bool:
        if first_time:
            self._strike_and_wait()
        self.near.sendall(data)
        return True

    def _stop_in_mid_answer(self, data: bytes, first_time: bool) -> bool:
        self._proxy.note(Kind.RESET)
        return False

    def _swallow(self, data: bytes, first_time: bool) -> bool:
        self._proxy.note(Kind.BLACK_HOLE)
        self._swallows = True
        return True

    def _trickle(self, data: bytes, first_time: bool) -> bool:
        for byte in data:
            self._strike_and_wait()
            self.near.sendall(bytes([byte]))
        return True

    def _strike_and_wait(self) -> None:
        self._proxy.note(self._behaviour.kind)
        if self._proxy.closing.wait(self._behaviour.pause_s):
            raise OSError

    def pass_requests(self, far: socket.socket) -> None:
        passed, requests = 0, _Requests()
        with contextlib.suppress(OSError):
            while data := self.near.recv(CHUNK):
                if self._behaviour.kind is Kind.CUT_REQUEST and passed + len(data) > self._behaviour.after:
                    far.sendall(data[: self._behaviour.after - passed])
                    self._proxy.note(Kind.CUT_REQUEST)
                    break
                if not self._swallows:
                    far.sendall(data)
                passed += len(data)
                if self._behaviour.kind is Kind.REPEAT:
                    for request in requests.ended_by(data):
                        threading.Thread(target=self._repeat, args=(request,), name="chaos repeat", daemon=True).start()
        if not self._swallows:
            hang_up(far)

    def _repeat(self, request: bytes) -> None:
        if self._proxy.closing.wait(self._behaviour.pause_s):
            return
        with contextlib.suppress(OSError), socket.create_connection(self._proxy.target, timeout=5) as again:
            again.sendall(request)
            if again.recv(CHUNK):
                self._proxy.note(Kind.REPEAT)


_LATE: dict[Kind, Callable[[_ChaosRelay, bytes, bool], bool]] = {
    Kind.STALL: _ChaosRelay._stall,
    Kind.RESET: _ChaosRelay._stop_in_mid_answer,
    Kind.BLACK_HOLE: _ChaosRelay._swallow,
    Kind.TRICKLE: _ChaosRelay._trickle,
}


class _Requests:
    """Finds the whole HTTP/1.1 requests in what a client sends, by their Content-Length."""

    def __init__(self) -> None:
        self._rest = b""

    def ended_by(self, data: bytes) -> list[bytes]:
        """The requests that end in this piece."""
        self._rest += data
        found = []
        while (head := self._rest.find(b"\r\n\r\n")) >= 0:
            length = 0
            for line in self._rest[:head].lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            end = head + 4 + length
            if len(self._rest) < end:
                break
            found.append(self._rest[:end])
            self._rest = self._rest[end:]
        return found
