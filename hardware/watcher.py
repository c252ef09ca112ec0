"""Keeps one reader's process running: starts it, listens to it, and kills and replaces it when it falls silent."""

import logging
import threading
import time
from collections.abc import Callable

from hardware.backoff import Backoff
from hardware.card import RefusedReason, Technology
from hardware.errors import log_without_values, place_of
from hardware.fields import OpenFields
from hardware.gesture import UNPLUGGED, Gesture, GestureReply, GestureResult
from hardware.health import Health, Timeouts
from hardware.pcsc_programs import FIND_ALL, programs_with_pcsc
from hardware.process import ProcessEnded, ProcessSilent, ReaderProcess, command_for
from hardware.reader import (
    OUT_OF_ORDER,
    Event,
    FieldClear,
    ReaderSpec,
    ReaderState,
    ReaderStatus,
    RefusedTap,
    Tap,
)
from hardware.wire import (
    Command,
    CommandReply,
    Crash,
    DialogueBegun,
    DialogueEnded,
    DriverCall,
    Heartbeat,
    Message,
    Opening,
    State,
)

log = logging.getLogger(__name__)

# A new process reports within a second that a field is clear. What it says nothing of by then is gone.
_LEFT_OVER_S = 1.5


class ReaderWatcher:
    """One reader. `on_event` is called on this reader's own thread, `on_change` after each change of its status."""

    def __init__(
        self,
        spec: ReaderSpec,
        on_event: Callable[[Event], object],
        on_change: Callable[[], None],
        timeouts: Timeouts,
    ) -> None:
        self.spec = spec
        self._on_event = on_event
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
        self._has_reported = False
        # The simulated card and cable, which outlive the process as real ones do. Guarded by `_changed` too.
        self._lying: tuple[bytes, Technology] | None = None
        self._unplugged = False
        # For the reader's own thread alone.
        self._health = Health(timeouts)
        self._fields = OpenFields()
        self._left_over_due_s: float | None = None
        self._reading: str | None = None
        self._limit_s = timeouts.start_s
        self._heard_s = 0.0
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
        """Orders a simulated reader to carry out a gesture, and waits until `on_event` has returned."""
        until_s = time.monotonic() + timeout_s
        with self._changed:
            if not self._changed.wait_for(self._settled, timeout_s):
                return _not_ready("the reader is not running yet")
            if self._stopping.is_set() or self._process is None:
                return _not_ready("the reader is stopped")
            self._number += 1
            number, self._replies[self._number] = self._number, None
            self._remember(gesture, uid, technology)
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
        return (self._process is not None and self._has_reported) or self._stopping.is_set()

    def _remember(self, gesture: Gesture, uid: bytes, technology: Technology) -> None:
        match gesture:
            case Gesture.PUT | Gesture.LIES:
                self._lying = uid, technology
            case Gesture.LIFT | Gesture.PRESENT:
                self._lying = None
            case Gesture.PLUG | Gesture.UNPLUG:
                self._unplugged = gesture is Gesture.UNPLUG

    def _tell_what_was(self, process: ReaderProcess) -> None:
        """Tells a new simulated reader what a device would still find: its unplugged cable and the card on it."""
        if self._unplugged:
            process.send(Command(0, Gesture.UNPLUG))
        if self._lying is not None:
            process.send(Command(0, Gesture.LIES, *self._lying))

    def _answered(self, number: int) -> bool:
        # A missing number was removed when its process ended without a reply.
        return self._stopping.is_set() or self._replies.get(number, _INTERRUPTED) is not None

    # ---- the reader's own thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        backoff = Backoff(self._timeouts.first_wait_s, self._timeouts.most_wait_s)
        while not self._stopping.is_set():
            was_silent = False
            try:
                self._attend()
            except Exception as error:  # noqa: BLE001 the edge of this thread: a reader is never given up
                # The silence has lasted long enough: what hung may go on at any moment.
                was_silent = isinstance(error, ProcessSilent)
                if not self._stopping.is_set():
                    self._note_failure(error)
            if not self._health.keeps_failing:
                backoff.reset()
            elif not was_silent:
                self._wait(backoff.next_s())
        self._deliver_all(self._fields.all())

    def _attend(self) -> None:
        """Runs one process until it ends. Raises ProcessEnded then; OSError or ValueError when it cannot start."""
        process = ReaderProcess(command_for(self.spec))
        try:
            with self._changed:
                self._process, self._has_reported = process, False
                if self._stopping.is_set():
                    process.ask_to_end()
                else:
                    self._tell_what_was(process)
            self._fields.new_process()
            self._heard_s = time.monotonic()
            out_of_order = self._status.state in OUT_OF_ORDER
            self._left_over_due_s = self._heard_s + self._timeouts.trouble_s if out_of_order else None
            self._reading, self._limit_s = None, self._timeouts.start_s
            self._listen(process)
        finally:
            with self._changed:
                self._process = None
                process.close()
                self._replies.clear()
                self._changed.notify_all()

    def _listen(self, process: ReaderProcess) -> None:
        while True:
            self._heard_s = time.monotonic()
            while (message := process.receive(self._patience_s())) is None:
                if time.monotonic() - self._heard_s >= self._limit_s:
                    raise ProcessSilent("it stopped answering" + (" while it read a card" if self._reading else ""))
                self._update_status()
            self._handle(message)

    def _patience_s(self) -> float:
        """Seconds until the process has been silent for too long, or until the status changes by itself."""
        now_s = time.monotonic()
        dues = [self._heard_s + self._limit_s, self._health.due_s(now_s), self._left_over_due_s]
        return max(0.0, min(due for due in dues if due is not None) - now_s)

    def _wait(self, seconds: float) -> None:
        """Waits for the next start, and keeps the status up to date meanwhile."""
        until_s = time.monotonic() + seconds
        while not self._stopping.is_set() and (now_s := time.monotonic()) < until_s:
            self._stopping.wait(min(until_s, self._health.due_s(now_s) or until_s) - now_s)
            self._update_status()

    def _handle(self, message: Message) -> None:
        if self._limit_s == self._timeouts.start_s:
            self._limit_s = self._timeouts.idle_s
        match message:
            case Tap() | RefusedTap() | FieldClear():
                self._deliver(message)
                self._note_card(message)
            case CommandReply():
                self._answer(message)
            case DialogueBegun() | DialogueEnded():
                self._note_dialogue(message)
            case DriverCall() | Opening():
                self._limit_s = self._limit_after(message)
            case State():
                self._note_state(message)
            case Crash():
                raise ProcessEnded(f"its process ended ({message.why})")
            case Heartbeat():
                pass
        self._update_status()

    def _limit_after(self, message: DriverCall | Opening) -> float:
        if isinstance(message, Opening):
            return self._timeouts.start_s
        return self._timeouts.driver_call_s if message.begun else self._timeouts.idle_s

    def _note_dialogue(self, message: DialogueBegun | DialogueEnded) -> None:
        self._reading = message.reader if isinstance(message, DialogueBegun) else None
        if isinstance(message, DialogueEnded) and message.fault:
            log.warning("reader %s: the driver failed at a card: %s", self.spec.label, message.fault)

    def _note_state(self, state: State) -> None:
        with self._changed:
            self._has_reported = True
            self._changed.notify_all()
        now_s = time.monotonic()
        self._health.reported(state, now_s)
        if state.state is ReaderState.READY and self._left_over_due_s is None:
            self._left_over_due_s = now_s + _LEFT_OVER_S

    def _note_card(self, event: Event) -> None:
        match event:
            case Tap():
                self._health.card_read(event.reader)
            case RefusedTap(reason=RefusedReason.UNREADABLE):
                self._health.card_unreadable(event.reader)
            case RefusedTap(reason=RefusedReason.IN_USE):
                why = _held_by_another(event.reader)
                log.warning("reader %s: %s", self.spec.label, why)
                self._health.card_in_use(event.reader, why)
            case RefusedTap(reason=RefusedReason.LIFT_AGAIN) | FieldClear():
                pass
            case RefusedTap():
                self._health.card_read(event.reader)

    def _deliver(self, event: Event) -> None:
        if not self._fields.admits(event):
            return
        outcome, failed = None, False
        try:
            outcome = self._on_event(event)
        except Exception as error:  # noqa: BLE001 the edge of this thread: the next card must be read
            failed = True
            log_without_values("on_event", error)
        if not isinstance(event, FieldClear):
            self._outcome, self._outcome_failed = outcome, failed

    def _deliver_all(self, events: list[FieldClear]) -> None:
        for event in events:
            self._deliver(event)

    def _answer(self, message: CommandReply) -> None:
        reply = self._reply_to(message)
        with self._changed:
            if message.number in self._replies:
                self._replies[message.number] = reply
            self._changed.notify_all()

    def _reply_to(self, message: CommandReply) -> GestureReply:
        outcome, failed = self._outcome, self._outcome_failed
        self._outcome, self._outcome_failed = None, False
        if failed:
            return GestureReply(GestureResult.FAILED, message.reason, detail="the kiosk failed to handle the tap")
        detail = UNPLUGGED if message.result is GestureResult.NOT_READY else ""
        return GestureReply(message.result, message.reason, outcome, detail)

    def _note_failure(self, error: Exception) -> None:
        why = error.why if isinstance(error, ProcessEnded) else f"it failed: {place_of(error)}"
        log.warning("reader %s: %s; starting it again", self.spec.label, why)
        now_s = time.monotonic()
        if self._reading is None:
            self._health.failed(why, self._heard_s if isinstance(error, ProcessSilent) else now_s, now_s)
        else:
            self._health.failed_at_a_card(why, now_s)
            refused = RefusedTap(self._reading, RefusedReason.UNREADABLE)
            self._note_card(refused)
            self._deliver(refused)
        self._update_status()

    def _update_status(self) -> None:
        """Brings the status up to date, and announces a change. Ends the fields that nothing else would end."""
        now_s = time.monotonic()
        if self._left_over_due_s is not None and now_s >= self._left_over_due_s:
            self._left_over_due_s = None
            self._deliver_all(self._fields.left_over())
        now = self._health.state_at(now_s)
        status = ReaderStatus(self.spec.label, self.spec.kind, now.state, now.detail)
        if status == self._status:
            return
        with self._changed:
            self._status = status
            self._changed.notify_all()
        self._on_change()
        if now.state in OUT_OF_ORDER:
            self._deliver_all(self._fields.all())


def _held_by_another(reader: str) -> str:
    seen = programs_with_pcsc()
    return (
        f"another program held the last card at {reader} exclusively; "
        + f"PC/SC is used by {', '.join(seen)}; " * bool(seen)
        + f"as root, {FIND_ALL} finds all programs that use PC/SC"
    )


def _not_ready(why: str) -> GestureReply:
    return GestureReply(GestureResult.NOT_READY, detail=why)


_INTERRUPTED = _not_ready("the reader stopped in between")
