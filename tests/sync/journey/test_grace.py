"""The grace at a day's boundary, as the rules see it: what outlasts the day's end, and what has lapsed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.journey.day_end import close_day
from sync.journey.grace import GRACE_MS, is_late_in_day, is_within_reach, lapsed_before_ms
from sync.journey.model import Appointment
from sync.rebase import as_of

from .samples import NEXT_DAY, RULES, booking, entry, patient, statuses

DAY_AFTER = "2026-03-04"


def late(exam: str = "X", status: str = "booked") -> Appointment:
    return replace(booking(exam, status=status), last_day=NEXT_DAY)


@pytest.mark.parametrize("status", ["booked", "arrived"])
def test_a_late_booking_that_nobody_used_lapses_at_the_end_of_the_next_day(status: str):
    closed = close_day(RULES, patient(bookings=[late(status=status)]), NEXT_DAY)
    assert (statuses(closed.journey), closed.appointment_changes) == ({"X": status}, ())
    again = close_day(RULES, closed.journey, DAY_AFTER)
    assert [change.new for change in again.appointment_changes] == ["no_show"]


def test_a_late_booking_lapses_where_more_than_one_day_has_ended():
    closed = close_day(RULES, patient(bookings=[late()]), DAY_AFTER)
    assert [change.new for change in closed.appointment_changes] == ["no_show"]


@pytest.mark.parametrize("state", ["waiting", "called"])
def test_a_patient_who_waits_for_a_late_booking_waits_on(state: str):
    before = patient(RULES.queue_to_journey[state], [late(status="waiting")], [entry(1, state=state)], 1)
    closed = close_day(RULES, before, NEXT_DAY)
    assert (closed.journey.state, closed.journey.entries) == (before.state, before.entries)
    assert (statuses(closed.journey), closed.appointment_changes) == ({"X": "waiting"}, ())
    assert close_day(RULES, closed.journey, DAY_AFTER).journey.state == "UNREGISTERED"


def test_a_patient_of_another_booking_does_not():
    before = patient("WAITING", [booking("X", status="waiting"), late("Y")], [entry(1)], 1)
    closed = close_day(RULES, before, NEXT_DAY)
    assert closed.journey.state == "UNREGISTERED"
    assert statuses(closed.journey) == {"Y": "booked"}


def test_the_new_day_has_its_own_bookings_beside_the_late_one():
    there = as_of(RULES, patient(bookings=[late()]), NEXT_DAY, (booking("Y", 9000),))
    assert statuses(there) == {"X": "booked", "Y": "booked"}


def test_a_booking_that_was_used_before_its_day_began_is_not_offered_again_on_its_day():
    used = patient("COMPLETED", [late(status="completed")])
    assert as_of(RULES, used, NEXT_DAY, (late(),)).appointments == ()


def test_two_hours_are_the_grace_on_both_sides():
    boundary = 100 * GRACE_MS
    assert is_late_in_day(boundary - GRACE_MS, boundary)
    assert not is_late_in_day(boundary - GRACE_MS - 1, boundary)
    at = booking("X", boundary)
    assert is_within_reach(at, boundary - GRACE_MS)
    assert not is_within_reach(at, boundary - GRACE_MS - 1)
    assert not is_within_reach(replace(at, all_day=True), boundary)
    assert lapsed_before_ms(boundary) == boundary - GRACE_MS
