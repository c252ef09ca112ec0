"""Keeps one reader's process running: starts it, listens to it, and kills and replaces it when it falls silent."""

import logging
import threading
import time
from collections.abc import Callable

from hardware.backoff import Backoff
from hardware.card import Technology
from hardware.errors import log_without_values, place_of
from hardware.gesture import UNPLUGGED, Gesture, GestureReply, GestureResult
from hardware.health import Health, Timeouts
from hardware.process import ProcessEnded, ReaderProcess, command_for
from hardware.reader import ReaderSpec, ReaderState, ReaderStatus, RefusedTap, Tap
from hardware.wire import Command, CommandReply, Crash, DriverCall, Heartbeat, Message, State

log = logging.getLogger(__name__)


class ReaderWatcher:
    """One reader. `on_tap` is called on this reader's own thread, `on_change` after each change of its status."""

    def __init__(
        self,
        spec: ReaderSpec,
        on_tap: Callable[[Tap | RefusedTap], object],
        on_change: Callable[[], None],
        timeouts: Timeouts,
    ) -> None:
        self.spec = spec
        self._on_tap = on_tap
        self._on_change = on_change
        self._timeouts = timeouts
        self._thread = threading.Thread(target=self._run, name=f"reader {spec.label}", daemon=True)
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        # Guarded by `_changed`, since other threads read these.
        self._status = ReaderStatus(spec.label, spec.kind, ReaderState.STARTING)
        self._process: ReaderProcess | None = None
        self._replies: dict[int, GestureReply | None] = {}
        self._number = 0
        # For the reader's own thread alone.
        self._health = Health(timeouts)
        self._in_driver_call = False
        self._outcome: object = None
        self._outcome_failed = False

    @property
    def status(self) -> ReaderStatus:
        """The status of the reader now."""
        return self._status

    def start(self) -> None:
        """Starts the thread, which starts the process."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Orders the process to end. No other process replaces it."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
            if self._process:
                self._process.ask_to_end()

    def join(self, timeout_s: float) -> bool:
        """Waits for the thread to end. True when the thread has ended or never started."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def kill(self) -> None:
        """Kills the process at once."""
        with self._changed:
            if self._process:
                self._process.kill()

    def gesture(self, gesture: Gesture, uid: bytes, technology: Technology, timeout_s: float) -> GestureReply:
        """Orders a simulated reader to carry out a gesture, and waits until `on_tap` has returned."""
        until_s = time.monotonic() + timeout_s
        with self._changed:
            if not self._changed.wait_for(self._settled, timeout_s):
                return _not_ready("the reader is not running yet")
            if self._stopping.is_set() or self._process is None:
                return _not_ready("the reader is stopped")
            self._number += 1
            number, self._replies[self._number] = self._number, None
            try:
                self._process.send(Command(number, gesture, uid, technology))
                if not self._changed.wait_for(lambda: self._answered(number), until_s - time.monotonic()):
                    return GestureReply(GestureResult.TIMED_OUT, detail=f"there was no answer within {timeout_s:g} s")
                return self._replies.get(number) or _INTERRUPTED
            except BrokenPipeError:
                return _INTERRUPTED
            finally:
                self._replies.pop(number, None)

    def _settled(self) -> bool:
        running = self._process is not None and self._status.state is not ReaderState.STARTING
        return running or self._stopping.is_set()

    def _answered(self, number: int) -> bool:
        # A missing number was removed when its process ended without a reply.
        return self._stopping.is_set() or self._replies.get(number, _INTERRUPTED) is not None

    # ---- the reader's own thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        backoff = Backoff(self._timeouts.first_wait_s, self._timeouts.most_wait_s)
        while not self._stopping.is_set():
            try:
                self._attend()
            except Exception as error:  # noqa: BLE001 the edge of this thread: a reader is never given up
                if self._stopping.is_set():
                    return
                self._note_failure(error.why if isinstance(error, ProcessEnded) else f"it failed: {place_of(error)}")
            if self._health.keeps_failing:
                self._stopping.wait(backoff.next_s())
            else:
                backoff.reset()

    def _attend(self) -> None:
        """Runs one process until it ends. Raises ProcessEnded then; OSError or ValueError when it cannot start."""
        process = ReaderProcess(command_for(self.spec))
        try:
            with self._changed:
                self._process = process
                if self._stopping.is_set():
                    process.ask_to_end()
            self._in_driver_call = False
            while True:
                limit_s = self._timeouts.driver_call_s if self._in_driver_call else self._timeouts.idle_s
                message = process.receive(limit_s)
                if message is None:
                    raise ProcessEnded(
                        "it stopped answering" + (" while it read a card" if self._in_driver_call else "")
                    )
                self._handle(message)
        finally:
            with self._changed:
                self._process = None
                process.close()
                self._replies.clear()
                self._changed.notify_all()

    def _handle(self, message: Message) -> None:
        match message:
            case Tap() | RefusedTap():
                self._health.card_read()
                self._deliver(message)
            case CommandReply():
                reply = self._reply_to(message)
                with self._changed:
                    if message.number in self._replies:
                        self._replies[message.number] = reply
                    self._changed.notify_all()
            case DriverCall():
                self._in_driver_call = message.begun
            case State():
                self._health.reported(message)
            case Crash():
                raise ProcessEnded(f"its process ended ({message.why})")
            case Heartbeat():
                pass
        self._update_status()

    def _deliver(self, tap: Tap | RefusedTap) -> None:
        self._outcome, self._outcome_failed = None, False
        try:
            self._outcome = self._on_tap(tap)
        except Exception as error:  # noqa: BLE001 the edge of this thread: the next card must be read
            self._outcome_failed = True
            log_without_values("on_tap", error)

    def _reply_to(self, message: CommandReply) -> GestureReply:
        outcome, failed = self._outcome, self._outcome_failed
        self._outcome, self._outcome_failed = None, False
        if failed:
            return GestureReply(GestureResult.FAILED, message.reason, detail="the kiosk failed to handle the tap")
        detail = UNPLUGGED if message.result is GestureResult.NOT_READY else ""
        return GestureReply(message.result, message.reason, outcome, detail)

    def _note_failure(self, why: str) -> None:
        log.warning("reader %s: %s; starting it again", self.spec.label, why)
        self._health.failed(why, time.monotonic())
        self._update_status()

    def _update_status(self) -> None:
        """Brings the status up to date, and announces a change."""
        now = self._health.state_at(time.monotonic())
        status = ReaderStatus(self.spec.label, self.spec.kind, now.state, now.detail)
        if status != self._status:
            with self._changed:
                self._status = status
                self._changed.notify_all()
            self._on_change()


def _not_ready(why: str) -> GestureReply:
    return GestureReply(GestureResult.NOT_READY, detail=why)


_INTERRUPTED = _not_ready("the reader stopped in between")
