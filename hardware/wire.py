"""The lines between a reader's process and its supervisor: one JSON object a line each way.

These lines are the only place outside of memory where a card's id appears, and they go through a pipe.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from hardware.card import Card
from hardware.reader import ReaderState, RefusedReason, RefusedTap, Tap

MAX_LINE = 4096
BEAT_EVERY_S = 1.0


class Gesture(StrEnum):
    """What can be done to a simulated reader."""

    PRESENT = "present"  # hold a card to it and take it away
    PUT = "put"  # lay a card on it
    LIFT = "lift"  # take that away
    UNPLUG = "unplug"
    PLUG = "plug"


class Noticed(StrEnum):
    """What the simulated reader made of a gesture."""

    TAPPED = "tapped"
    REFUSED = "refused"
    DEBOUNCED = "debounced"  # the same card, still there or hardly gone
    NOT_READY = "not_ready"  # it is unplugged
    DONE = "done"  # a gesture that brings no card


@dataclass(frozen=True, slots=True)
class Beat:
    """The reader's loop has gone round."""


@dataclass(frozen=True, slots=True)
class Busy:
    """A call to the driver has begun that may never return, or it has returned."""

    begun: bool


@dataclass(frozen=True, slots=True)
class State:
    """How the device is now."""

    state: ReaderState
    detail: str


@dataclass(frozen=True, slots=True)
class CommandReply:
    """What came of the gesture with this number; its tap, if any, was on the line before."""

    number: int
    noticed: Noticed
    reason: RefusedReason | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The process gives up. `why` names the kind of error and the place in the code, never a value."""

    why: str


Message = Tap | RefusedTap | Beat | Busy | State | CommandReply | Ended


@dataclass(frozen=True, slots=True)
class Command:
    """One gesture for the simulated reader, numbered by the supervisor."""

    number: int
    gesture: Gesture
    uid: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """The command as a line."""
        return _line({"number": self.number, "gesture": self.gesture, "uid": self.uid.hex()})


def decode_command(line: bytes) -> Command:
    """The command on a line. Raises ValueError, KeyError or TypeError where there is none."""
    told = json.loads(line)
    return Command(int(told["number"]), Gesture(told["gesture"]), bytes.fromhex(told["uid"]))


def decode(line: bytes) -> Message | None:
    """The message on a line of a reader's process; None where it is none."""
    try:
        told = json.loads(line)
        return _KINDS[told["is"]](told)
    except (ValueError, KeyError, TypeError):
        return None


_KINDS: dict[str, Callable[[dict[str, str]], Message]] = {
    "tap": lambda told: Tap(told["reader"], bytes.fromhex(told["uid"]), told["technology"], int(told["at_mono_ns"])),
    "refused": lambda told: RefusedTap(told["reader"], RefusedReason(told["reason"])),
    "beat": lambda _: Beat(),
    "busy": lambda _: Busy(begun=True),
    "idle": lambda _: Busy(begun=False),
    "state": lambda told: State(ReaderState(told["state"]), told["detail"]),
    "answer": lambda told: CommandReply(
        int(told["number"]),
        Noticed(told["noticed"]),
        RefusedReason(told["reason"]) if told["reason"] else None,
    ),
    "ended": lambda told: Ended(told["why"]),
}


class Report:
    """The reader's side: says what it finds on a file descriptor. One thread only."""

    def __init__(self, descriptor: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._state: tuple[ReaderState, str] | None = None
        self._last_s = clock()

    def found(self, reader: str, found: Card | RefusedReason, at_mono_ns: int) -> None:
        """A card came, usable or not."""
        if isinstance(found, Card):
            uid, technology = found.uid.hex(), found.technology
            self._say({"is": "tap", "reader": reader, "uid": uid, "technology": technology, "at_mono_ns": at_mono_ns})
        else:
            self._say({"is": "refused", "reader": reader, "reason": found})

    def state(self, state: ReaderState, detail: str = "") -> None:
        """The device is like this now; said only when it is news."""
        if self._state != (state, detail):
            self._state = (state, detail)
            self._say({"is": "state", "state": state, "detail": detail})

    def answer(self, number: int, noticed: Noticed, reason: RefusedReason | None = None) -> None:
        """A gesture was carried out."""
        self._say({"is": "answer", "number": number, "noticed": noticed, "reason": reason})

    def beat(self) -> None:
        """The loop has gone round; said once a second at most."""
        if self._clock() - self._last_s >= BEAT_EVERY_S:
            self._say({"is": "beat"})

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Around a call to the driver that may never return."""
        self._say({"is": "busy"})
        try:
            yield
        finally:
            self._say({"is": "idle"})

    def ended(self, why: str) -> None:
        """The process gives up."""
        self._say({"is": "ended", "why": why})

    def _say(self, told: dict[str, object]) -> None:
        self._last_s = self._clock()
        os.write(self._descriptor, _line(told))


def _line(told: dict[str, object]) -> bytes:
    return json.dumps(told).encode() + b"\n"
