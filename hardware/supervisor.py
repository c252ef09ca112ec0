"""All readers of the kiosk, each in a process of its own that is watched, and replaced when it hangs or dies."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from hardware.card import Technology
from hardware.errors import log_without_values
from hardware.gesture import Gesture, GestureReply, GestureResult
from hardware.health import Timeouts
from hardware.reader import Event, ReaderSpec, ReaderStatus
from hardware.watcher import ReaderWatcher

# A healthy process ends within a few milliseconds; the others are killed.
_GRACE_S = 0.5
# Longer than any id, so such a card is refused.
_MAX_UID_BYTES = 32


class Readers:
    """The readers of these specifications.

    `on_event` gets each usable or refused card, and each field that is clear again, on a thread of that reader. The
    next card of the same reader waits until `on_event` returns. `on_status` gets the status of all readers after each
    change, one call at a time. An exception of either is logged without card data and changes nothing. Neither may wait
    for `stop`.
    """

    def __init__(
        self,
        specs: Sequence[ReaderSpec],
        on_event: Callable[[Event], object],
        on_status: Callable[[tuple[ReaderStatus, ...]], object],
        timeouts: Timeouts = Timeouts(),  # noqa: B008 frozen
    ) -> None:
        self._on_status = on_status
        self._announcing = threading.Lock()
        self._watchers = tuple(
            ReaderWatcher(spec, on_event, self._announce, timeouts) for spec in without_overlap(specs)
        )

    def start(self) -> None:
        """Starts all readers at once and returns without waiting for them. Once only."""
        for watcher in self._watchers:
            watcher.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Ends all readers: asks first, and kills each process that does not end within half a second."""
        until = time.monotonic() + timeout_s
        for watcher in self._watchers:
            watcher.ask_to_stop()
        gentle_until = min(until, time.monotonic() + _GRACE_S)
        running = [one for one in self._watchers if not one.join(max(0.0, gentle_until - time.monotonic()))]
        for watcher in running:
            watcher.kill()
            watcher.join(max(0.0, until - time.monotonic()))

    def status(self) -> tuple[ReaderStatus, ...]:
        """One status for each specification, in their order."""
        return tuple(watcher.status for watcher in self._watchers)

    def present(
        self, uid: bytes, technology: Technology = Technology.ISO14443A, timeout_s: float = 10.0
    ) -> GestureReply:
        """Holds a card to the first simulated reader and takes it away; returns after `on_event` has returned."""
        return self.gesture(Gesture.PRESENT, uid, technology, timeout_s)

    def gesture(
        self,
        gesture: Gesture,
        uid: bytes = b"",
        technology: Technology = Technology.ISO14443A,
        timeout_s: float = 10.0,
    ) -> GestureReply:
        """Carries out a gesture at the first simulated reader. Returns after `on_event` has returned."""
        simulated = next((watcher for watcher in self._watchers if watcher.spec.kind == "simulated"), None)
        if simulated is None:
            return GestureReply(GestureResult.NO_READER, detail="no simulated reader is configured")
        return simulated.gesture(gesture, uid[:_MAX_UID_BYTES], technology, timeout_s)

    def _announce(self) -> None:
        with self._announcing:
            try:
                self._on_status(self.status())
            except Exception as error:  # noqa: BLE001 called at the edge of a reader's thread, which must live on
                log_without_values("on_status", error)


def without_overlap(specs: Sequence[ReaderSpec]) -> list[ReaderSpec]:
    """Returns the specifications without overlap: an attached PC/SC reader belongs to the first that names it."""
    names: list[str] = []
    disjoint = []
    for spec in specs:
        disjoint.append(replace(spec, leave=(*spec.leave, *names)) if spec.kind == "pcsc" else spec)
        if spec.kind == "pcsc" and spec.name:
            names.append(spec.name)
    return disjoint
