"""A reader without a device, for demonstrations, training and tests: gestures come as commands."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from hardware.card import Card, Found, RefusedReason, Technology, UnknownForm, judge
from hardware.gesture import UNPLUGGED, Gesture, GestureResult
from hardware.presence import Presence, seconds_until
from hardware.reader import ReaderState
from hardware.wire import Command, Report

WAIT_S = 1.0


class SimulatedReader:
    """Judges cards and tells taps as the readers with a device do."""

    def __init__(
        self,
        name: str,
        commands: SimpleQueue[Command],
        report: Report,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._commands = commands
        self._report = report
        self._clock_ns = clock_ns
        self._presence = Presence(name, report, clock_ns)
        self._presence.end_first_look()
        self._plugged = True
        self._lying: tuple[Technology, bytes] | None = None

    def step(self) -> None:
        """Waits up to a second for a gesture, and carries it out."""
        if self._plugged:
            self._report.state(ReaderState.READY)
        else:
            self._report.state(ReaderState.ABSENT, UNPLUGGED)
        try:
            command = self._commands.get(timeout=seconds_until(self._presence.due_ns, self._clock_ns(), WAIT_S))
        except Empty:
            self._presence.see_same()
            self._look()
            return
        result, reason = self._carry_out(command)
        self._report.reply(command.number, result, reason)

    def close(self) -> None:
        """Does nothing: there is no device."""

    def _carry_out(self, command: Command) -> tuple[GestureResult, RefusedReason | None]:
        self._presence.see_same()
        if command.gesture in {Gesture.PRESENT, Gesture.PUT, Gesture.LIES}:
            self._lying = command.technology, command.uid
        if command.gesture in {Gesture.PLUG, Gesture.LIES}:
            self._presence.lose_sight()
        if command.gesture in {Gesture.PLUG, Gesture.UNPLUG}:
            self._plugged = command.gesture is Gesture.PLUG
        reported = self._look()
        if command.gesture in {Gesture.PRESENT, Gesture.LIFT}:
            self._lying = None
            self._look()
        if not self._plugged and command.gesture not in {Gesture.PLUG, Gesture.UNPLUG}:
            return GestureResult.NOT_READY, None
        if command.gesture in {Gesture.PRESENT, Gesture.PUT}:
            return _result(reported)
        return GestureResult.DONE, None

    def _look(self) -> Found | None:
        """Looks at what lies there, as a reader with a device does. Returns what was reported."""
        reported = None
        if self._plugged and self._lying is not None:
            lying = self._lying
            # A random id stands for a phone here: there is no answer whose form could tell.
            reported = self._presence.see(lying, lambda: judge(*lying, if_random=RefusedReason.PHONE))
        else:
            self._presence.see_nothing()
        self._presence.end_first_look()
        return reported


def _result(reported: Found | None) -> tuple[GestureResult, RefusedReason | None]:
    if reported is None:
        return GestureResult.DEBOUNCED, None
    if isinstance(reported, Card):
        return GestureResult.TAPPED, None
    return GestureResult.REFUSED, RefusedReason.UNKNOWN_FORM if isinstance(reported, UnknownForm) else reported
