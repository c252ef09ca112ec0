"""A reader without a device, for demonstrations, training and tests: gestures come as commands."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from hardware.card import Card, RefusedReason, judge
from hardware.debounce import Debounce
from hardware.gesture import UNPLUGGED, Gesture, GestureResult
from hardware.reader import ReaderState
from hardware.wire import Command, Report

WAIT_S = 2.0


class SimulatedReader:
    """Judges and debounces cards as the readers with a device do."""

    def __init__(
        self,
        name: str,
        commands: SimpleQueue[Command],
        report: Report,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._name = name
        self._commands = commands
        self._report = report
        self._clock_ns = clock_ns
        self._debounce: Debounce[object] = Debounce()
        self._plugged = True

    def step(self) -> None:
        """Waits up to two seconds for a gesture, and carries it out."""
        if self._plugged:
            self._report.state(ReaderState.READY)
        else:
            self._report.state(ReaderState.ABSENT, UNPLUGGED)
        try:
            command = self._commands.get(timeout=WAIT_S)
        except Empty:
            return
        result, reason = self._carry_out(command)
        self._report.reply(command.number, result, reason)

    def close(self) -> None:
        """Does nothing: there is no device."""

    def _carry_out(self, command: Command) -> tuple[GestureResult, RefusedReason | None]:
        match command.gesture:
            case Gesture.UNPLUG | Gesture.PLUG:
                self._plugged = command.gesture is Gesture.PLUG
                self._debounce = Debounce()
                return GestureResult.DONE, None
            case _ if not self._plugged:
                return GestureResult.NOT_READY, None
            case Gesture.LIFT:
                self._debounce.emptied(self._clock_ns())
                return GestureResult.DONE, None
        now_ns = self._clock_ns()
        # A random id stands for a phone here: there is no answer whose form could tell.
        found = judge(command.technology, command.uid, if_random=RefusedReason.PHONE)
        is_new = self._debounce.arrived(found, now_ns)
        if command.gesture is Gesture.PRESENT:
            self._debounce.emptied(now_ns)
        if not is_new:
            return GestureResult.DEBOUNCED, None
        self._report.found(self._name, found, now_ns)
        return (GestureResult.TAPPED, None) if isinstance(found, Card) else (GestureResult.REFUSED, found)
