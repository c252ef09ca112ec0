"""The centre's clock: the machine's clock, except for a jump that nothing confirms.

At the end of a day bookings lapse, so a wrong clock must not decide the day. While the service runs, the
monotonic clock gives the expected time; at the start, the database's server does, or the last moment in the database.
docs/architecture.md has the rule.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sync.central.records.history import last_recorded_ms
from sync.central.store.news import News, NewsItem
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import DAY_MS, MINUTE_MS, is_synchronised, iso, now_ms

log = logging.getLogger(__name__)

LARGEST_STEP_MS = 5 * MINUTE_MS  # a smaller change of the clock is followed at once
JUMP_LASTS_MS = 15 * MINUTE_MS  # a jump is followed once it has lasted this long
LARGEST_UNVOUCHED_JUMP_MS = DAY_MS  # a larger jump is followed only where the clock is synchronised
LONGEST_OFF_MS = 31 * DAY_MS  # the longest time that the centre may have been off


@dataclass(frozen=True, slots=True)
class Doubt:
    """The time of the machine's clock and the time that the centre uses instead (UTC ms)."""

    machine_ms: int
    taken_ms: int


@dataclass(frozen=True, slots=True)
class _Jump:
    by_ms: int
    since_mono_ms: int


# The wall clock and the monotonic clock at one moment (ms).
Clocks = tuple[int, int]


def clocks() -> Clocks:
    """This machine's clocks. The monotonic clock continues while the machine sleeps."""
    return now_ms(), time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class Timekeeper:
    """A callable that gives the time (UTC ms), from any thread. Time goes back only with a jump that is followed."""

    def __init__(
        self,
        read: Callable[[], Clocks] = clocks,
        last_known_ms: int | None = None,
        is_synchronised: Callable[[], bool] = is_synchronised,
        server_ms: int | None = None,
    ) -> None:
        """`last_known_ms`: the last moment in the database; None where there is none.

        `server_ms` is the time of the database's server, where that is a machine of its own: all hosts of a centre have
        that time then. `is_synchronised` tells whether a time server vouches for the wall clock. It is asked about
        large jumps alone.
        """
        self._read = read
        self._is_synchronised = is_synchronised
        self._lock = threading.Lock()
        self._jump: _Jump | None = None
        wall_ms, self._mono_ms = read()
        expected_ms = _expected(wall_ms, last_known_ms, server_ms)
        self._wall_ms = wall_ms if expected_ms == wall_ms or is_synchronised() else expected_ms
        self()

    def __call__(self) -> int:
        """The time."""
        wall_ms, mono_ms = self._read()
        with self._lock:
            taken_ms = self._wall_ms + mono_ms - self._mono_ms
            if self._follows(wall_ms, mono_ms, wall_ms - taken_ms):
                if abs(wall_ms - taken_ms) <= LARGEST_STEP_MS:
                    taken_ms = max(wall_ms, taken_ms if self._jump else self._wall_ms)
                else:
                    taken_ms = wall_ms
                self._jump = None
                self._wall_ms, self._mono_ms = taken_ms, mono_ms
            return taken_ms

    @property
    def doubt(self) -> Doubt | None:
        """The machine's time and the centre's, while the centre does not follow the machine's clock; else None."""
        taken_ms = self()
        return Doubt(self._read()[0], taken_ms) if self._jump else None

    def believe(self) -> int:
        """Follows the machine's clock at once, since a person has checked it. Returns its time (UTC ms)."""
        wall_ms, mono_ms = self._read()
        with self._lock:
            self._jump = None
            self._wall_ms, self._mono_ms = wall_ms, mono_ms
        log.warning("a person confirmed the clock: %s", iso(wall_ms, "UTC"))
        return wall_ms

    def _follows(self, wall_ms: int, mono_ms: int, by_ms: int) -> bool:
        """Whether the centre follows the machine's clock, which is `by_ms` ahead of the expected time."""
        if abs(by_ms) <= LARGEST_STEP_MS:
            if self._jump:
                log.warning("the clock is right again: %s", iso(wall_ms, "UTC"))
            return True
        if self._jump is None or abs(by_ms - self._jump.by_ms) > LARGEST_STEP_MS:
            self._jump = _Jump(by_ms, mono_ms)
            log.error(
                "the clock is in doubt: it says %s, and should say %s; the centre goes on from the expected time"
                " (if the clock is right: kiosk-central clock --believe)",
                iso(wall_ms, "UTC"),
                iso(wall_ms - by_ms, "UTC"),
            )
        stood = mono_ms - self._jump.since_mono_ms >= JUMP_LASTS_MS
        if not stood or (abs(by_ms) > LARGEST_UNVOUCHED_JUMP_MS and not self._is_synchronised()):
            return False
        log.warning("the clock has jumped, and the centre follows it now: %s", iso(wall_ms, "UTC"))
        return True


def _expected(wall_ms: int, last_known_ms: int | None, server_ms: int | None) -> int:
    """The time at a start: that of the machine's clock, unless the server or the database speak against it."""
    if server_ms is not None:
        return wall_ms if abs(wall_ms - server_ms) <= LARGEST_STEP_MS else server_ms
    is_credible = last_known_ms is None or 0 <= wall_ms - last_known_ms <= LONGEST_OFF_MS
    return wall_ms if is_credible or last_known_ms is None else last_known_ms


def doubt_of(clock: Callable[[], int]) -> Doubt | None:
    """The doubt of a clock; None for a clock that is no timekeeper."""
    return clock.doubt if isinstance(clock, Timekeeper) else None


def following(news: News, host_id: str, clock: Callable[[], int]) -> AbstractContextManager[None]:
    """While the context is open, the clock follows a person who confirms the time at another worker of its host."""

    def believe(_: NewsItem) -> None:
        if isinstance(clock, Timekeeper) and clock.doubt is not None:
            clock.believe()

    return news.listen(host_id, believe)


def note_confirmed_time(db: WriteTransaction, now_ms: int) -> None:
    """Records that a person confirmed the time. Rows written before may have a wrong time."""
    db.set_counter(_CONFIRMED_AT, db.latest_change())
    db.set_counter(_CONFIRMED_MS, now_ms)


def last_known_ms(db: ReadTransaction) -> int | None:
    """The last moment in the database: of its last transition, or of a person's confirmation after that."""
    recorded_ms = last_recorded_ms(db, after=db.counter(_CONFIRMED_AT) or 0)
    return db.counter(_CONFIRMED_MS) if recorded_ms is None else recorded_ms


_CONFIRMED_AT, _CONFIRMED_MS = "confirmed_at_change", "confirmed_ms"  # names of counters
