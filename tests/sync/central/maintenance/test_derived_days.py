"""The time zone or the day's start of the site is corrected: the days of bookings follow, and nobody loses a place."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from sync.central.imports.parts import SitePart
from sync.central.imports.take_site import take_site
from sync.central.maintenance.derived_days import derive_days
from tests.sync.central.centre import DAY, Centre
from tests.sync.central.imports.test_take_booking import ANNA, BLOOD, NEXT_DAY, TO_WAITING, booking, take

BERLIN = "Europe/Berlin"
EACH_ALONE_S = 0.0  # each booking has a transaction of its own


def begin(centre: Centre, **settings: str) -> None:
    """Corrects the site, and leaves the bookings to the next tick of the background."""
    with centre.store.write() as db:
        take_site(db, SitePart(**settings), centre.clock())


def test_a_local_time_stays_the_local_time_in_the_right_zone_and_an_instant_stays_the_instant(centre: Centre):
    take(centre, "instant", patient_id=ANNA, exam_id="sleep", scheduled_at="2026-03-05T23:30:00+00:00")
    centre.do("site", timezone="UTC")
    assert booking(centre, BLOOD)["scheduled_ms"] - booking(centre, "instant")["scheduled_ms"] == -309_600_000
    assert booking(centre, "instant")["site_day"] == "2026-03-05"
    centre.do("site", timezone="Asia/Seoul")
    assert booking(centre, "instant")["site_day"] == "2026-03-06"


def test_a_corrected_start_of_the_day_moves_the_bookings_of_its_first_hours(centre: Centre):
    take(centre, "early", patient_id=ANNA, exam_id="sleep", scheduled_at=f"{NEXT_DAY}T04:30")
    assert booking(centre, "early")["site_day"] == NEXT_DAY
    heard = []
    with centre.store.news.listen(ANNA, heard.append):
        centre.do("site", day_starts_at="05:00")
    assert booking(centre, "early")["site_day"] == DAY
    assert heard


def test_the_whole_day_stays_the_day_that_was_said(centre: Centre):
    take(centre, "day", patient_id=ANNA, exam_id="sleep", scheduled_at=NEXT_DAY)
    centre.do("site", timezone=BERLIN, day_starts_at="00:00")
    row = booking(centre, "day")
    assert (row["site_day"], row["all_day"]) == (NEXT_DAY, 1)
    centre.clock.now_ms = row["scheduled_ms"]
    assert centre.state(ANNA)["appointments"][0]["scheduled_at"] == NEXT_DAY


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
def test_a_patient_who_waits_keeps_the_place_whatever_day_it_is_in_the_right_zone(centre: Centre, zone: str):
    before = centre.walk(ANNA, *TO_WAITING)["queue_details"]
    centre.do("site", timezone=zone)
    state = centre.state(ANNA)
    assert (state["journey_state"], state["queue_details"]) == ("WAITING", before)
    assert booking(centre)["status"] == "waiting"
    assert centre.do("check")["ok"]
    centre.walk(ANNA, "call_patient", "start_exam", "complete_exam")
    assert booking(centre)["status"] == "completed"


def test_a_booking_that_lapsed_by_the_wrong_clock_stands_again(centre: Centre):
    take(centre, "early", patient_id=ANNA, exam_id="sleep", scheduled_at=f"{NEXT_DAY}T04:30")
    centre.do("site", day_starts_at="08:00")
    centre.clock.set(NEXT_DAY, "09:00")
    centre.walk(ANNA, "scan_nfc")
    assert booking(centre, "early")["status"] == "no_show"
    centre.do("site", day_starts_at="04:00")
    assert (booking(centre, "early")["status"], booking(centre, "early")["site_day"]) == ("booked", NEXT_DAY)
    assert booking(centre, BLOOD)["status"] == "no_show"


def test_a_derivation_that_was_cut_off_goes_on_where_it_stood(centre: Centre):
    begin(centre, timezone="UTC")
    broken = replace(centre.parts, clock=_fails_at(3, centre.clock))
    with pytest.raises(InterruptedError):
        derive_days(broken, EACH_ALONE_S)
    reached = centre.rows("select after_id, timezone from derived_days")
    assert reached[0]["after_id"] > ""
    assert derive_days(centre.parts) == 32 - 1
    assert derive_days(centre.parts) == 0
    assert centre.rows("select distinct site_day from appointments") == [{"site_day": DAY}]
    assert centre.rows("select timezone, after_id from derived_days") == [{"timezone": "UTC", "after_id": ""}]


def test_a_second_correction_begins_from_the_first_booking_again(centre: Centre):
    times = centre.rows("select appointment_id, scheduled_ms from appointments order by appointment_id")
    begin(centre, timezone="UTC")
    with pytest.raises(InterruptedError):
        derive_days(replace(centre.parts, clock=_fails_at(5, centre.clock)), EACH_ALONE_S)
    begin(centre, timezone="Asia/Seoul")
    derive_days(centre.parts)
    assert centre.rows("select appointment_id, scheduled_ms from appointments order by appointment_id") == times


def test_another_name_of_the_site_derives_nothing(centre: Centre):
    before = centre.rows("select patient_id, change from journeys order by patient_id")
    centre.do("site", name="Another name")
    assert derive_days(centre.parts) == 0
    assert centre.rows("select patient_id, change from journeys order by patient_id") == before


def test_bookings_of_long_ago_are_left_as_they_were(centre: Centre):
    centre.clock.set("2026-04-02", "09:00")
    begin(centre, timezone="UTC")
    assert derive_days(centre.parts) == 0


def _fails_at(call: int, clock):
    """The clock, which fails at its n-th reading, as a process that dies would."""
    calls = count(1)

    def read() -> int:
        if next(calls) == call:
            raise InterruptedError
        return int(clock())

    return read
