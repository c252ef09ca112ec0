"""All readers of the kiosk, each in a process of its own that is watched, and replaced when it hangs or dies."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hardware.errors import log_without_values
from hardware.health import Timeouts
from hardware.reader import ReaderSpec, ReaderStatus, RefusedReason, RefusedTap, Tap
from hardware.watch import NotReady, ReaderWatcher, Reply
from hardware.wire import Gesture, Noticed

# An able process ends within a few milliseconds; the others are killed.
_GRACE_S = 0.5
# Longer than any id, and refused as such.
_MOST_UID = 32


class PresentedAs(StrEnum):
    """What came of holding a card to the simulated reader."""

    TAPPED = "tapped"
    REFUSED = "refused"
    DEBOUNCED = "debounced"  # the same card, hardly gone: no new tap
    DONE = "done"  # a gesture that brings no card
    FAILED = "failed"  # it was tapped or refused, and what that leads to raised an exception
    NO_READER = "no_reader"  # no simulated reader is configured
    NOT_READY = "not_ready"
    TIMED_OUT = "timed_out"  # `on_tap` has not returned yet


@dataclass(frozen=True, slots=True)
class Presented:
    """The result of `Readers.present`. `outcome` is what `on_tap` returned, `detail` a sentence for operators."""

    result: PresentedAs
    reason: RefusedReason | None = None
    outcome: object = None
    detail: str = ""


class Readers:
    """The readers of these specifications.

    `on_tap` gets each usable or refused card, on a thread of that reader; the next card of the same reader waits until
    it returns. `on_status` gets the status of all readers whenever one of them changed, one call at a time. What they
    raise is logged without card data and changes nothing. Neither may wait for `stop`.
    """

    def __init__(
        self,
        specs: Sequence[ReaderSpec],
        on_tap: Callable[[Tap | RefusedTap], object],
        on_status: Callable[[tuple[ReaderStatus, ...]], object],
        patience: Timeouts = Timeouts(),  # noqa: B008 frozen
    ) -> None:
        self._on_status = on_status
        self._announcing = threading.Lock()
        self._watches = tuple(ReaderWatcher(spec, on_tap, self._announce, patience) for spec in specs)

    def start(self) -> None:
        """Starts all readers at once and returns without waiting for them. Once only."""
        for watch in self._watches:
            watch.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Ends all readers: asks first, and kills what does not end within half a second."""
        until = time.monotonic() + timeout_s
        for watch in self._watches:
            watch.ask_to_stop()
        asked_until = min(until, time.monotonic() + _GRACE_S)
        for watch in [watch for watch in self._watches if not watch.join(max(0.0, asked_until - time.monotonic()))]:
            watch.kill()
            watch.join(max(0.0, until - time.monotonic()))

    def status(self) -> tuple[ReaderStatus, ...]:
        """One status for each specification, in their order."""
        return tuple(watch.status for watch in self._watches)

    def present(self, uid: bytes, timeout_s: float = 10.0) -> Presented:
        """Holds a card to the first simulated reader and takes it away; returns after `on_tap` has returned for it."""
        return self.gesture(Gesture.PRESENT, uid, timeout_s)

    def gesture(self, gesture: Gesture, uid: bytes = b"", timeout_s: float = 10.0) -> Presented:
        """Any gesture at the first simulated reader."""
        watch = next((watch for watch in self._watches if watch.spec.kind == "simulated"), None)
        if watch is None:
            return Presented(PresentedAs.NO_READER, detail="no simulated reader is configured")
        try:
            reply = watch.gesture(gesture, uid[:_MOST_UID], timeout_s)
        except NotReady as error:
            return Presented(PresentedAs.NOT_READY, detail=str(error))
        except TimeoutError:
            return Presented(PresentedAs.TIMED_OUT, detail=f"there was no answer within {timeout_s:g} s")
        return _presented(reply)

    def _announce(self) -> None:
        with self._announcing:
            try:
                self._on_status(self.status())
            except Exception as error:  # noqa: BLE001 called at the edge of a reader's thread, which must live on
                log_without_values("what a reader's new status leads to", error)


def _presented(reply: Reply) -> Presented:
    if reply.failed:
        return Presented(PresentedAs.FAILED, reply.reason, detail="what the tap leads to failed")
    detail = "the simulated reader is unplugged" if reply.noticed is Noticed.NOT_READY else ""
    return Presented(PresentedAs(reply.noticed), reply.reason, reply.outcome, detail)
