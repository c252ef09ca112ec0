"""Event times of each quality, days of a site across clock changes, and clocks with nonsense values."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.clock import (
    ClockReading,
    TimeQuality,
    day_after,
    event_time,
    iso,
    local_ms,
    now_ms,
    read_clock,
    site_day,
)

SEOUL, BERLIN, NEW_YORK = "Asia/Seoul", "Europe/Berlin", "America/New_York"
RECEIVED = 1_800_000_000_000
ANY_INT = st.one_of(st.integers(), st.integers(-(10**15), 10**15), st.integers(10**30, 10**40))
ANY_CLOCK = st.builds(ClockReading, ANY_INT, ANY_INT, st.sampled_from(["", "boot-1", "boot-2"]), st.booleans())


def reading(wall_ms: int = 0, mono_ms: int = 0, boot: str = "boot-1", *, synchronised: bool = False) -> ClockReading:
    return ClockReading(wall_ms, mono_ms, boot, synchronised)


def test_in_one_boot_the_time_is_counted_back_from_the_receipt_and_the_wall_clock_does_not_count():
    for wall in (0, -5, RECEIVED * 100):
        event = event_time(reading(wall, 1_000), reading(wall, 61_000), RECEIVED)
        assert (event.at_ms, event.quality) == (RECEIVED - 60_000, TimeQuality.MEASURED)


def test_after_another_boot_a_synchronised_wall_clock_counts():
    event = event_time(reading(RECEIVED - 9, 1, synchronised=True), reading(0, 5, "boot-2"), RECEIVED)
    assert (event.at_ms, event.quality) == (RECEIVED - 9, TimeQuality.SYNCHRONISED)


def test_a_wall_clock_that_is_not_synchronised_is_a_claim():
    event = event_time(reading(RECEIVED - 9, 1), reading(0, 5, "boot-2"), RECEIVED)
    assert (event.at_ms, event.quality) == (RECEIVED - 9, TimeQuality.CLAIMED)


@pytest.mark.parametrize("wall", [RECEIVED + 1, -1, 10**40])
def test_a_wall_clock_after_the_receipt_or_before_1970_does_not_count(wall: int):
    event = event_time(reading(wall, 1, synchronised=True), reading(0, 5, "boot-2"), RECEIVED)
    assert (event.at_ms, event.quality) == (RECEIVED, TimeQuality.RECEIVED)


def test_two_machines_without_a_boot_id_are_not_one_boot():
    event = event_time(reading(RECEIVED - 9, 1, ""), reading(RECEIVED, 5, ""), RECEIVED)
    assert event.quality is TimeQuality.CLAIMED


@pytest.mark.parametrize("mono", [6, -(10**18)])
def test_a_monotonic_clock_that_cannot_be_right_does_not_count(mono: int):
    event = event_time(reading(RECEIVED - 9, mono), reading(RECEIVED, 5), RECEIVED)
    assert event.quality is TimeQuality.CLAIMED


@given(ANY_CLOCK, ANY_CLOCK, st.integers(0, 10**14))
def test_an_event_is_never_later_than_its_receipt_nor_before_1970(event, sent, received_ms):
    assert 0 <= event_time(event, sent, received_ms).at_ms <= received_ms


# Days of a site.


@pytest.mark.parametrize(
    ("local", "timezone", "day"),
    [
        ("2026-03-02T04:00", SEOUL, "2026-03-02"),
        ("2026-03-02T03:59", SEOUL, "2026-03-01"),
        ("2026-03-02T23:59", SEOUL, "2026-03-02"),
        ("2026-03-03T00:00", SEOUL, "2026-03-02"),
        ("2026-01-01T03:00", SEOUL, "2025-12-31"),
        ("2024-03-01T03:59", SEOUL, "2024-02-29"),
        # Berlin: 02:00 becomes 03:00 on 29 March 2026, and 03:00 becomes 02:00 on 25 October.
        ("2026-03-29T01:30", BERLIN, "2026-03-28"),
        ("2026-03-29T03:59", BERLIN, "2026-03-28"),
        ("2026-03-29T04:00", BERLIN, "2026-03-29"),
        ("2026-10-25T03:59", BERLIN, "2026-10-24"),
        ("2026-10-25T04:00", BERLIN, "2026-10-25"),
        ("2026-11-01T03:59", NEW_YORK, "2026-10-31"),
        ("2026-11-01T04:00", NEW_YORK, "2026-11-01"),
    ],
)
def test_a_day_begins_at_four_in_local_time_also_across_clock_changes(local: str, timezone: str, day: str):
    date, time = local.split("T")
    assert site_day(local_ms(date, time, timezone), timezone, "04:00") == day


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 23), ("2026-03-29", 24), ("2026-10-24", 25)])
def test_a_day_with_a_clock_change_is_an_hour_shorter_or_longer_and_misses_no_moment(day: str, hours: int):
    start, end = local_ms(day, "04:00", BERLIN), local_ms(day_after(day), "04:00", BERLIN)
    assert end - start == hours * 3_600_000
    assert {site_day(at, BERLIN, "04:00") for at in range(start, end, 60_000)} == {day}
    assert site_day(start - 1, BERLIN, "04:00") < day < site_day(end, BERLIN, "04:00")


@pytest.mark.parametrize(("starts", "day"), [("00:00", "2026-03-02"), ("05:30", "2026-03-01"), ("5:29", "2026-03-02")])
def test_a_site_may_begin_its_day_at_another_time(starts: str, day: str):
    assert site_day(local_ms("2026-03-02", "05:29", SEOUL), SEOUL, starts) == day


@given(st.integers(0, 4_000_000_000_000), st.integers(0, 86_400_000))
def test_later_moments_never_belong_to_earlier_days(at_ms: int, later: int):
    assert site_day(at_ms, BERLIN, "04:00") <= site_day(at_ms + later, BERLIN, "04:00")


@given(
    ANY_INT,
    st.sampled_from([SEOUL, BERLIN, "Pacific/Kiritimati", "Etc/GMT+12"]),
    st.sampled_from(["00:00", "04:00", "23:59"]),
)
def test_any_clock_value_has_a_day_a_day_after_and_a_spelling(at_ms: int, timezone: str, starts: str):
    day = site_day(at_ms, timezone, starts)
    assert len(day) == 10
    assert day < day_after(day)
    assert datetime.fromisoformat(iso(at_ms, timezone)).utcoffset() is not None


@pytest.mark.parametrize(
    ("timezone", "starts"), [("Mars/Olympus", "04:00"), (SEOUL, "4"), (SEOUL, "four"), (SEOUL, ""), ("", "04:00")]
)
def test_an_invalid_time_zone_or_start_of_the_day_is_an_error(timezone: str, starts: str):
    with pytest.raises((ValueError, KeyError)):
        site_day(RECEIVED, timezone, starts)


def test_times_are_written_with_the_offset_of_the_site():
    at_ms = local_ms("2026-07-01", "09:30", BERLIN)
    assert iso(at_ms, BERLIN) == "2026-07-01T09:30:00+02:00"
    assert iso(at_ms, SEOUL) == "2026-07-01T16:30:00+09:00"


def test_the_day_after_the_last_of_a_month_and_of_a_year():
    assert [day_after(d) for d in ("2026-02-28", "2024-02-28", "2026-12-31")] == [
        "2026-03-01",
        "2024-02-29",
        "2027-01-01",
    ]


def test_this_machines_clocks_go_on_within_one_boot():
    first, second = read_clock(), read_clock()
    assert first.boot_id == second.boot_id
    assert second.mono_ms >= first.mono_ms
    assert abs(first.wall_ms - now_ms()) < 60_000
    assert event_time(first, second, now_ms()).quality is TimeQuality.MEASURED
