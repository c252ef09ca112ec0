"""Clock readings, event times, and the days of a site. Times are UTC milliseconds since 1970 (`*_ms`).

A kiosk's wall clock may be wrong (no battery, no network at boot), so it orders nothing. The monotonic clock of one
boot is reliable, and the centre computes the event time from it.
"""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SYNCHRONISED = "/run/systemd/timesync/synchronized"
# 1970 to the end of 9999, less some days: whatever a clock says, its local time in any zone is a valid datetime.
_FIRST_MS = 0
_LAST_MS = 253_402_041_600_000


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A machine's clocks at one moment: wall and monotonic milliseconds, boot id, and whether the wall clock is
    synchronised."""

    wall_ms: int
    mono_ms: int
    boot_id: str
    synchronised: bool


class TimeQuality(StrEnum):
    """How far an event time can be trusted."""

    MEASURED = "measured"  # counted back from the receipt by the monotonic clock of the same boot
    SYNCHRONISED = "synchronised"  # a synchronised wall clock
    CLAIMED = "claimed"  # a wall clock that was not synchronised
    RECEIVED = "received"  # the moment of the receipt, since the wall clock is useless


class EventTime(msgspec.Struct, frozen=True):
    """When something happened (UTC ms), and the quality of that time."""

    at_ms: int
    quality: TimeQuality


def event_time(event: ClockReading, sent: ClockReading, received_ms: int) -> EventTime:
    """When an action happened: from the readings at the action and at sending, and the receipt. Never later than the
    receipt."""
    elapsed = sent.mono_ms - event.mono_ms
    if event.boot_id and event.boot_id == sent.boot_id and 0 <= elapsed <= received_ms:
        return EventTime(received_ms - elapsed, TimeQuality.MEASURED)
    if not 0 <= event.wall_ms <= received_ms:
        return EventTime(received_ms, TimeQuality.RECEIVED)
    quality = TimeQuality.SYNCHRONISED if event.synchronised else TimeQuality.CLAIMED
    return EventTime(event.wall_ms, quality)


def age_ms(event: ClockReading, now: ClockReading) -> int:
    """How long ago something was, by the clocks of the machine that saw it. The wall clock counts only across boots."""
    if event.boot_id and event.boot_id == now.boot_id and event.mono_ms <= now.mono_ms:
        return now.mono_ms - event.mono_ms
    return max(now.wall_ms - event.wall_ms, 0)


def read_clock() -> ClockReading:
    """The present reading of this machine's clocks."""
    return ClockReading(
        wall_ms=now_ms(),
        mono_ms=time.monotonic_ns() // 1_000_000,
        boot_id=_boot_id(),
        synchronised=is_synchronised(),
    )


def is_synchronised() -> bool:
    """Whether systemd-timesyncd says that this machine's wall clock is synchronised. No other daemon is asked."""
    return os.path.exists(_SYNCHRONISED)


def now_ms() -> int:
    """The present time by this machine's wall clock."""
    return time.time_ns() // 1_000_000


def iso(at_ms: int, timezone: str) -> str:
    """A time as ISO 8601, to the second, with the offset of a time zone (IANA name). A time outside 1970 to 9999 is
    shown as the nearest time inside.
    """
    return _iso(at_ms // 1000, timezone)


@lru_cache(maxsize=1024)  # the same bookings are shown again and again, and many answers bear one second
def _iso(at_s: int, timezone: str) -> str:
    return _local(at_s * 1000, timezone).isoformat(timespec="seconds")


def site_day(at_ms: int, timezone: str, day_starts_at: str) -> str:
    """The site day (ISO date) of a moment. Days begin at `day_starts_at` ("04:00"), local time.

    Raises ValueError where `day_starts_at` or the time zone is malformed, and KeyError (zoneinfo.ZoneInfoNotFoundError)
    where the time zone is unknown.
    """
    return _site_day(at_ms // 1000, timezone, day_starts_at)


@lru_cache(maxsize=64)  # one tap or action asks several times within a second
def _site_day(at_s: int, timezone: str, day_starts_at: str) -> str:
    hours, minutes = day_starts_at.split(":")
    local = _local(at_s * 1000, timezone).replace(tzinfo=None)
    return (local - timedelta(hours=int(hours), minutes=int(minutes))).date().isoformat()


@lru_cache(maxsize=64)
def day_after(day: str) -> str:
    """The ISO date after this one."""
    return (datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)).date().isoformat()


@lru_cache(maxsize=64)
def day_before(day: str) -> str:
    """The ISO date before this one."""
    return (datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1)).date().isoformat()


def local_ms(day: str, time_of_day: str, timezone: str) -> int:
    """UTC ms of a local time ("09:30") on an ISO date. Raises ValueError, or KeyError for an unknown time zone."""
    return int(datetime.fromisoformat(f"{day}T{time_of_day}").replace(tzinfo=ZoneInfo(timezone)).timestamp() * 1000)


@cache
def _boot_id() -> str:
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""


def _local(at_ms: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(min(max(at_ms, _FIRST_MS), _LAST_MS) / 1000, ZoneInfo(timezone))
