"""Times that can be trusted as far as they can be: clock readings, event times, and the days of a site.

A kiosk's wall clock may be wrong (no battery, no network at boot), so it orders nothing. What it does well is count:
the monotonic clock of one boot. The event time is rebuilt from it at the centre.
"""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a machine's clocks said at one moment: wall and monotonic milliseconds, boot id, synchronised or not."""

    wall_ms: int
    mono_ms: int
    boot_id: str
    synchronised: bool


class TimeQuality(StrEnum):
    """How far an event time can be trusted."""

    MEASURED = "measured"  # counted back from the receipt by the monotonic clock of the same boot
    SYNCHRONISED = "synchronised"  # the wall clock of a machine that was synchronised
    CLAIMED = "claimed"  # a wall clock that nobody vouches for
    RECEIVED = "received"  # no better than the moment of the receipt


@dataclass(frozen=True, slots=True)
class EventTime:
    """When something happened (UTC ms), and how well that is known."""

    at_ms: int
    quality: TimeQuality


def event_time(event: ClockReading, sent: ClockReading, received_ms: int) -> EventTime:
    """When an action happened, from its own reading, the one at sending and the receipt; never after the receipt."""
    elapsed = sent.mono_ms - event.mono_ms
    if event.boot_id and event.boot_id == sent.boot_id and 0 <= elapsed <= received_ms:
        return EventTime(received_ms - elapsed, TimeQuality.MEASURED)
    if not 0 <= event.wall_ms <= received_ms:
        return EventTime(received_ms, TimeQuality.RECEIVED)
    quality = TimeQuality.SYNCHRONISED if event.synchronised else TimeQuality.CLAIMED
    return EventTime(event.wall_ms, quality)


def read_clock() -> ClockReading:
    """This machine's clocks, now. Synchronised is what systemd-timesyncd says; of other daemons nothing is known."""
    return ClockReading(
        wall_ms=now_ms(),
        mono_ms=time.monotonic_ns() // 1_000_000,
        boot_id=_boot_id(),
        synchronised=os.path.exists(_SYNCHRONISED),
    )


_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SYNCHRONISED = "/run/systemd/timesync/synchronized"
# 1970 to 9999, short of its last days: whatever a clock says, a time zone or a day's start does not lead out of what
# a datetime can hold.
_FIRST_MS = 0
_LAST_MS = 253_402_041_600_000


@cache
def _boot_id() -> str:
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""


def now_ms() -> int:
    """UTC milliseconds since 1970, by this machine's wall clock."""
    return time.time_ns() // 1_000_000


def iso(at_ms: int, timezone: str) -> str:
    """ISO 8601 with the offset of a time zone (IANA name), to the second. An absurd time is told as 1970 or 9999."""
    return _local(at_ms, timezone).isoformat(timespec="seconds")


def site_day(at_ms: int, timezone: str, day_starts_at: str) -> str:
    """The day of the site (ISO date) that a moment belongs to; days begin at `day_starts_at` ("04:00"), local time.

    Raises ValueError or KeyError (zoneinfo.ZoneInfoNotFoundError) where day's start or time zone are none.
    """
    hours, minutes = day_starts_at.split(":")
    local = _local(at_ms, timezone).replace(tzinfo=None)
    return (local - timedelta(hours=int(hours), minutes=int(minutes))).date().isoformat()


def day_after(day: str) -> str:
    """The next ISO date."""
    return (datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)).date().isoformat()


def local_ms(day: str, time_of_day: str, timezone: str) -> int:
    """UTC ms of a local time ("09:30") on an ISO date. Raises ValueError, or KeyError for an unknown time zone."""
    return int(datetime.fromisoformat(f"{day}T{time_of_day}").replace(tzinfo=ZoneInfo(timezone)).timestamp() * 1000)


def _local(at_ms: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(min(max(at_ms, _FIRST_MS), _LAST_MS) / 1000, ZoneInfo(timezone))
