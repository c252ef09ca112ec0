"""At the centre: a patient comes some minutes before the day of the booking begins, or after it has ended."""

from __future__ import annotations

import pytest

from sync.central.days.schedule import schedule
from sync.central.maintenance.housekeeping import close_days, lapse_late_bookings
from sync.central.records.site import read_site
from sync.clock import local_ms
from tests.sync.central.centre import DAY, Centre, patient
from tests.sync.central.imports.test_take_booking import NEXT_DAY, TO_WAITING, booking, take

EVE = patient(5)  # without any booking


def book(centre: Centre, at: str, day: str = NEXT_DAY) -> None:
    """Eve's only booking. The day begins at four."""
    take(centre, "near", patient_id=EVE, exam_id="xray", scheduled_at=f"{day}T{at}")


def exam(centre: Centre) -> str:
    (entry,) = centre.state(EVE)["queue_details"]
    return str(entry["exam_id"])


def test_who_comes_minutes_before_the_day_of_the_booking_begins_is_in_its_line_and_stays_there(centre: Centre):
    book(centre, "04:05")
    centre.clock.set(NEXT_DAY, "03:50")
    centre.walk(EVE, *TO_WAITING)
    assert exam(centre) == "xray"
    centre.clock.set(NEXT_DAY, "04:10")
    close_days(centre.parts, NEXT_DAY)
    assert (centre.state(EVE)["journey_state"], exam(centre)) == ("WAITING", "xray")
    centre.walk(EVE, "call_patient", "start_exam", "complete_exam")
    assert booking(centre, "near")["status"] == "completed"
    assert centre.do("check")["ok"]


@pytest.mark.parametrize(
    ("booked", "at", "moved"), [("03:30", "03:00", "04:30"), ("03:50", "04:10", "03:40"), ("04:30", "04:10", "03:50")]
)
def test_who_waits_near_the_boundary_keeps_the_place_where_the_booking_moves_over_it(
    centre: Centre, booked: str, at: str, moved: str
):
    book(centre, booked)
    centre.clock.set(NEXT_DAY, at)
    centre.walk(EVE, *TO_WAITING)
    for _ in range(2):
        book(centre, moved)
        assert (centre.state(EVE)["journey_state"], exam(centre)) == ("WAITING", "xray")
    assert booking(centre, "near")["status"] == "waiting"
    centre.clock.set(NEXT_DAY, "05:00")
    close_days(centre.parts, NEXT_DAY)
    lapse_late_bookings(centre.parts)
    assert (centre.state(EVE)["journey_state"], exam(centre)) == ("WAITING", "xray")
    assert centre.do("check")["ok"]


def test_a_booking_that_comes_minutes_after_its_day_has_ended_can_still_be_used(centre: Centre):
    centre.clock.set(NEXT_DAY, "04:10")
    close_days(centre.parts, NEXT_DAY)
    centre.walk(EVE, "scan_nfc", "register")
    book(centre, "03:50")
    centre.walk(EVE, "confirm_arrival")
    assert exam(centre) == "xray"


def test_an_app_shows_a_booking_as_soon_as_it_is_within_reach(centre: Centre):
    book(centre, "04:05")
    centre.clock.set(NEXT_DAY, "02:00")
    assert centre.state(EVE)["appointments"] == []
    for at in ("02:05", "03:59", "04:00"):
        centre.clock.set(NEXT_DAY, at)
        assert [each["appointment_id"] for each in centre.state(EVE)["appointments"]] == ["near"]


def test_a_booking_that_was_used_before_its_day_began_is_not_offered_on_it(centre: Centre):
    book(centre, "04:05")
    centre.clock.set(NEXT_DAY, "03:30")
    centre.walk(EVE, *TO_WAITING, "call_patient", "start_exam", "complete_exam")
    centre.clock.set(NEXT_DAY, "04:01")
    centre.walk(EVE, *TO_WAITING)
    assert exam(centre) == "desk"


def test_who_comes_long_before_the_day_of_the_booking_goes_to_the_desk(centre: Centre):
    book(centre, "04:05")
    centre.clock.set(NEXT_DAY, "02:00")
    centre.walk(EVE, *TO_WAITING)
    assert exam(centre) == "desk"


def test_a_booking_well_inside_its_day_is_out_of_reach_before_that_day(centre: Centre):
    book(centre, "06:10")
    centre.clock.set(NEXT_DAY, "03:59")
    centre.walk(EVE, *TO_WAITING)
    assert exam(centre) == "desk"


@pytest.mark.parametrize("swept", [True, False])
def test_who_comes_minutes_after_the_day_of_the_booking_has_ended_is_in_its_line(centre: Centre, swept: bool):
    book(centre, "03:50")
    assert booking(centre, "near")["site_day"] == DAY
    centre.clock.set(NEXT_DAY, "04:10")
    if swept:
        close_days(centre.parts, NEXT_DAY)
        lapse_late_bookings(centre.parts)
    centre.walk(EVE, *TO_WAITING)
    assert exam(centre) == "xray"
    assert centre.do("check")["ok"]


def test_a_late_booking_lapses_two_hours_after_its_time(centre: Centre):
    book(centre, "03:50")
    centre.clock.set(NEXT_DAY, "04:10")
    close_days(centre.parts, NEXT_DAY)
    centre.clock.set(NEXT_DAY, "05:50")
    assert lapse_late_bookings(centre.parts) == 0
    heard = []
    centre.clock.set(NEXT_DAY, "05:51")
    with centre.store.news.listen(EVE, heard.append):
        assert lapse_late_bookings(centre.parts) == 1
    assert heard
    assert booking(centre, "near")["status"] == "no_show"
    centre.walk(EVE, *TO_WAITING)
    assert exam(centre) == "desk"


def test_the_first_bookings_of_a_day_do_not_lapse_two_hours_after_their_time(centre: Centre):
    book(centre, "04:05")
    centre.clock.set(NEXT_DAY, "09:00")
    assert lapse_late_bookings(centre.parts) == 0
    centre.walk(EVE, *TO_WAITING)
    assert exam(centre) == "xray"


def test_who_waits_for_a_late_booking_waits_on_after_the_boundary(centre: Centre):
    book(centre, "03:50")
    centre.clock.set(NEXT_DAY, "03:40")
    before = centre.walk(EVE, *TO_WAITING)["queue_details"]
    centre.clock.set(NEXT_DAY, "04:10")
    close_days(centre.parts, NEXT_DAY)
    state = centre.state(EVE)
    assert (state["journey_state"], state["queue_details"]) == ("WAITING", before)
    assert booking(centre, "near")["status"] == "waiting"
    assert centre.do("check")["ok"]


def test_a_booking_of_the_whole_next_day_is_no_early_one(centre: Centre):
    take(centre, "day", patient_id=EVE, exam_id="xray", scheduled_at=NEXT_DAY)
    centre.clock.set(NEXT_DAY, "03:50")
    centre.walk(EVE, *TO_WAITING)
    assert exam(centre) == "desk"


def test_the_same_document_leaves_a_booking_on_the_day_on_which_it_is_used(centre: Centre):
    book(centre, "04:05")
    centre.clock.set(NEXT_DAY, "03:50")
    centre.walk(EVE, *TO_WAITING)
    take(centre, "near", scheduled_at=f"{NEXT_DAY}T04:05:00+09:00")
    assert exam(centre) == "xray"


@pytest.mark.parametrize(
    ("day", "at", "own_day", "last_day"),
    [
        # The clock jumps from 02:00 to 03:00, and the day begins at 04:00.
        ("2026-03-29", "00:59", "2026-03-28", "2026-03-28"),
        ("2026-03-29", "01:30", "2026-03-28", "2026-03-29"),
        # The clock goes back from 03:00 to 02:00.
        ("2026-10-25", "01:59", "2026-10-24", "2026-10-24"),
        ("2026-10-25", "03:10", "2026-10-24", "2026-10-25"),
    ],
)
def test_the_grace_is_two_hours_of_time_where_the_clock_is_changed(
    centre: Centre, day: str, at: str, own_day: str, last_day: str
):
    centre.do("site", timezone="Europe/Berlin")
    with centre.store.read() as db:
        when = schedule(read_site(db), f"{day}T{at}")
    assert (when.site_day, when.last_day) == (own_day, last_day)
    boundary = local_ms(day, "04:00", "Europe/Berlin")
    assert (boundary - when.scheduled_ms <= 2 * 3_600_000) == (last_day == day)
