"""The lines between a reader's process and its supervisor: one JSON object a line, in both directions.

Outside of memory a card's id appears in these lines alone, and they go through a pipe.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from hardware.card import Card, Found, RefusedReason, Technology, UnknownForm
from hardware.gesture import Gesture, GestureResult
from hardware.reader import FieldClear, ReaderState, RefusedTap, Tap

MAX_LINE = 8192
# So that a state fits a line, whatever the readers are called.
MAX_DETAIL = 400
HEARTBEAT_S = 1.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The reader's loop has completed a round."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The reader opens its device, which takes long where several lines have to be tried."""


@dataclass(frozen=True, slots=True)
class DialogueBegun:
    """A dialogue with a card at this reader begins. What goes wrong until its end is the card's fault."""

    reader: str


@dataclass(frozen=True, slots=True)
class DialogueEnded:
    """The dialogue with the card ended. `fault` names the error that it ended with, or is empty."""

    fault: str


@dataclass(frozen=True, slots=True)
class DriverCall:
    """A call to the driver that may never return has begun, or has returned."""

    begun: bool


@dataclass(frozen=True, slots=True)
class State:
    """The state of the device now."""

    state: ReaderState
    detail: str


@dataclass(frozen=True, slots=True)
class CommandReply:
    """The result of the command with this number. A tap of the command is the message before."""

    number: int
    result: GestureResult
    reason: RefusedReason | None


@dataclass(frozen=True, slots=True)
class Crash:
    """The process ends after an error. `why` names the kind of error and the place in the code, never a value."""

    why: str


Message = (
    Tap
    | RefusedTap
    | FieldClear
    | Heartbeat
    | Opening
    | DialogueBegun
    | DialogueEnded
    | DriverCall
    | State
    | CommandReply
    | Crash
)


@dataclass(frozen=True, slots=True)
class Command:
    """One gesture for the simulated reader, numbered by the supervisor."""

    number: int
    gesture: Gesture
    uid: bytes = field(default=b"", repr=False)
    technology: Technology = Technology.ISO14443A

    def encode(self) -> bytes:
        """The command as a line."""
        card = {"uid": self.uid.hex(), "technology": self.technology}
        return _line({"number": self.number, "gesture": self.gesture, **card})


def decode_command(line: bytes) -> Command:
    """The command on a line. Raises ValueError, KeyError or TypeError for any other line."""
    fields = json.loads(line)
    uid, technology = bytes.fromhex(fields["uid"]), Technology(fields["technology"])
    return Command(int(fields["number"]), Gesture(fields["gesture"]), uid, technology)


def decode(line: bytes) -> Message | None:
    """The message on a line of a reader's process; None for any other line."""
    try:
        fields = json.loads(line)
        return _DECODERS[fields["is"]](fields)
    except (ValueError, KeyError, TypeError):
        return None


_DECODERS: dict[str, Callable[[dict[str, str]], Message]] = {
    "tap": lambda line: Tap(line["reader"], bytes.fromhex(line["uid"]), line["technology"], int(line["at_mono_ns"])),
    "refused": lambda line: RefusedTap(line["reader"], RefusedReason(line["reason"])),
    "unknown_form": lambda line: RefusedTap(line["reader"], RefusedReason.UNKNOWN_FORM, _unknown_form(line)),
    "clear": lambda line: FieldClear(line["reader"]),
    "heartbeat": lambda _: Heartbeat(),
    "opening": lambda _: Opening(),
    "dialogue_begun": lambda line: DialogueBegun(line["reader"]),
    "dialogue_ended": lambda line: DialogueEnded(line["fault"]),
    "call_begun": lambda _: DriverCall(begun=True),
    "call_returned": lambda _: DriverCall(begun=False),
    "state": lambda line: State(ReaderState(line["state"]), line["detail"]),
    "reply": lambda line: CommandReply(
        int(line["number"]),
        GestureResult(line["result"]),
        RefusedReason(line["reason"]) if line["reason"] else None,
    ),
    "crash": lambda line: Crash(line["why"]),
}


def _unknown_form(line: dict[str, str]) -> UnknownForm:
    technology = Technology(line["technology"]) if line["technology"] else None
    return UnknownForm(line["atr"], technology, int(line["id_bytes"]))


class Report:
    """Writes the messages of a reader's process to a file descriptor. For one thread only."""

    def __init__(self, descriptor: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._state: tuple[ReaderState, str] | None = None
        self._last_s = clock()

    def found(self, reader: str, found: Found, at_mono_ns: int) -> None:
        """Writes that a card came, usable or not."""
        if isinstance(found, Card):
            uid, technology = found.uid.hex(), found.technology
            self._write({"is": "tap", "reader": reader, "uid": uid, "technology": technology, "at_mono_ns": at_mono_ns})
        elif isinstance(found, UnknownForm):
            self._write({"is": "unknown_form", "reader": reader, **asdict(found)})
        else:
            self._write({"is": "refused", "reader": reader, "reason": found})

    def clear(self, reader: str) -> None:
        """Writes that no card has been seen at a reader for a second."""
        self._write({"is": "clear", "reader": reader})

    def state(self, state: ReaderState, detail: str = "") -> None:
        """Writes the state of the device, when it changed."""
        detail = detail if len(detail) <= MAX_DETAIL else detail[: MAX_DETAIL - 1] + "…"
        if self._state != (state, detail):
            self._state = (state, detail)
            self._write({"is": "state", "state": state, "detail": detail})

    def reply(self, number: int, result: GestureResult, reason: RefusedReason | None = None) -> None:
        """Writes the result of a command."""
        self._write({"is": "reply", "number": number, "result": result, "reason": reason})

    def started(self) -> None:
        """Writes the first message: the driver is loaded, and the loop begins."""
        self._write({"is": "heartbeat"})

    def opening(self) -> None:
        """Writes that the device is opened now: the next message may take as long as the first one."""
        self._write({"is": "opening"})

    def heartbeat(self) -> None:
        """Writes a heartbeat when the last message is a second old. Called after each round of the loop."""
        if self._clock() - self._last_s >= HEARTBEAT_S:
            self._write({"is": "heartbeat"})

    def dialogue_begun(self, reader: str) -> None:
        """Writes that a dialogue with a card at this reader begins."""
        self._write({"is": "dialogue_begun", "reader": reader})

    def dialogue_ended(self, fault: str = "") -> None:
        """Writes that the dialogue ended. `fault` is the kind and place of an error that it ended with."""
        self._write({"is": "dialogue_ended", "fault": fault})

    @contextmanager
    def driver_call(self) -> Iterator[None]:
        """Reports the beginning and the end of a driver call that may never return."""
        self._write({"is": "call_begun"})
        try:
            yield
        finally:
            self._write({"is": "call_returned"})

    def crash(self, why: str) -> None:
        """Writes that the process ends after an error."""
        self._write({"is": "crash", "why": why})

    def _write(self, fields: dict[str, object]) -> None:
        self._last_s = self._clock()
        os.write(self._descriptor, _line(fields))


def _line(fields: dict[str, object]) -> bytes:
    return json.dumps(fields).encode() + b"\n"
