"""The centre's clock: the machine's, but for a jump that nobody vouches for.

Its day decides what lapses, so a wrong clock must not decide the day. While the service runs, the monotonic clock says
what the time must be; at the start, the last moment that the database knows of does. docs/architecture.md has the rule.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.clock import DAY_MS, MINUTE_MS, ClockReading, iso, read_clock

log = logging.getLogger(__name__)

NO_JUMP_MS = 5 * MINUTE_MS  # a clock that was set right by less is followed at once
STANDS_MS = 15 * MINUTE_MS  # for so long a jump must have stood before it is believed
FAR_MS = DAY_MS  # a jump by more is believed of a synchronised clock only
OFF_MS = 31 * DAY_MS  # for so long the centre may have been off


@dataclass(frozen=True, slots=True)
class Doubt:
    """The machine's clock says the one (UTC ms), and the centre goes by the other."""

    machine_ms: int
    taken_ms: int


@dataclass(frozen=True, slots=True)
class _Jump:
    by_ms: int
    since_mono_ms: int


def clocks() -> ClockReading:
    """This machine's clocks; the one that counts goes on while the machine sleeps."""
    return replace(read_clock(), mono_ms=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)


class Timekeeper:
    """Called, it says the time (UTC ms), which never goes back but with a jump that is believed. For any thread."""

    def __init__(self, read: Callable[[], ClockReading] = clocks, last_known_ms: int | None = None) -> None:
        """`last_known_ms`: the last moment that the database knows of; None where it knows none."""
        self._read = read
        self._lock = threading.Lock()
        self._jump: _Jump | None = None
        now = read()
        if last_known_ms is None or now.synchronised or 0 <= now.wall_ms - last_known_ms <= OFF_MS:
            self._wall_ms, self._mono_ms = now.wall_ms, now.mono_ms
        else:
            self._wall_ms, self._mono_ms = last_known_ms, now.mono_ms
        self()

    def __call__(self) -> int:
        """The time."""
        now = self._read()
        with self._lock:
            taken_ms = self._wall_ms + now.mono_ms - self._mono_ms
            if self._follows(now, now.wall_ms - taken_ms):
                if abs(now.wall_ms - taken_ms) <= NO_JUMP_MS:
                    taken_ms = max(now.wall_ms, taken_ms if self._jump else self._wall_ms)
                else:
                    taken_ms = now.wall_ms
                self._jump = None
                self._wall_ms, self._mono_ms = taken_ms, now.mono_ms
            return taken_ms

    @property
    def doubt(self) -> Doubt | None:
        """Where the machine's clock is not believed: what it says, and what is taken for the time."""
        taken_ms = self()
        return Doubt(self._read().wall_ms, taken_ms) if self._jump else None

    def believe(self) -> int:
        """Takes what the machine's clock says, since somebody has looked at it. Returns it."""
        now = self._read()
        with self._lock:
            self._jump = None
            self._wall_ms, self._mono_ms = now.wall_ms, now.mono_ms
        log.warning("the clock is believed to be right: %s", iso(now.wall_ms, "UTC"))
        return now.wall_ms

    def _follows(self, now: ClockReading, by_ms: int) -> bool:
        """Whether the machine's clock is believed, which is `by_ms` ahead of what the time should be."""
        if abs(by_ms) <= NO_JUMP_MS:
            if self._jump:
                log.warning("the clock is right again: %s", iso(now.wall_ms, "UTC"))
            return True
        if self._jump is None or abs(by_ms - self._jump.by_ms) > NO_JUMP_MS:
            self._jump = _Jump(by_ms, now.mono_ms)
            log.error(
                "the clock is in doubt: it says %s, and should say %s; time is counted on from there"
                " (if the clock is right: kiosk-central clock --believe)",
                iso(now.wall_ms, "UTC"),
                iso(now.wall_ms - by_ms, "UTC"),
            )
        stood = now.mono_ms - self._jump.since_mono_ms >= STANDS_MS
        if not stood or (abs(by_ms) > FAR_MS and not now.synchronised):
            return False
        log.warning("the clock has jumped, and is believed by now: %s", iso(now.wall_ms, "UTC"))
        return True


def doubt_of(clock: Callable[[], int]) -> Doubt | None:
    """A clock's doubt. Only a timekeeper has one."""
    return clock.doubt if isinstance(clock, Timekeeper) else None


def know(db: WriteTransaction, now_ms: int) -> None:
    """Somebody has said what the time is: whatever was written before bears a time that may have been wrong."""
    db.note_counter(_BELIEVED_AT, db.latest_change())
    db.note_counter(_BELIEVED_MS, now_ms)


def last_known_ms(db: ReadTransaction) -> int | None:
    """The last moment that the database knows of: that of its last transition, or what somebody said since."""
    row = db.row(
        "select recorded_ms from transitions where change > :after order by change desc, position desc limit 1",
        after=db.counter(_BELIEVED_AT) or 0,
    )
    return int(row["recorded_ms"]) if row else db.counter(_BELIEVED_MS)


_BELIEVED_AT, _BELIEVED_MS = "believed_at_change", "believed_ms"  # among the counters
