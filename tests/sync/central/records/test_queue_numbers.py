"""Queue numbers of the centre: counted by prefix and day, and skipped while they are in use or may be lost."""

from __future__ import annotations

import pytest

from sync.central.maintenance.housekeeping import close_days
from sync.central.maintenance.restore_gap import note_restore
from sync.central.records.queue_numbers import next_queue_number, skip_queue_numbers
from sync.journey.model import STAFF
from tests.sync.central.centre import DAY, Centre, patient

NEXT_DAY = "2026-03-03"
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")
ANNA, BEN, CARA = patient(5), patient(10), patient(15)  # without bookings of today


def take(centre: Centre, day: str = DAY, prefix: str = "C") -> str:
    """Takes a number, and gives it to nobody."""
    with centre.store.write() as db:
        return next_queue_number(db, centre.parts.definitions, prefix, day, centre.clock())


def book_overnight(centre: Centre, patient_id: str, day: str = DAY) -> None:
    booking = {"appointment_id": f"S-{patient_id}", "patient_id": patient_id, "exam_id": "sleep"}
    centre.take({"appointments": [booking | {"scheduled_at": f"{day}T20:00"}]})


def label(centre: Centre, patient_id: str) -> str:
    """The newest number of a patient."""
    return str(centre.walk(patient_id, *TO_WAITING)["queue_details"][-1]["queue_number"])


def test_numbers_are_counted_by_prefix_and_day(centre: Centre):
    assert [take(centre), take(centre), take(centre, prefix="D")] == ["C-001", "C-002", "D-001"]
    assert take(centre, NEXT_DAY) == "C-001"


def test_a_count_is_skipped_forward_and_never_back(centre: Centre):
    with centre.store.write() as db:
        skip_queue_numbers(db, "C", DAY, 40)
    assert take(centre) == "C-041"
    with centre.store.write() as db:
        skip_queue_numbers(db, "C", DAY, 7)
    assert take(centre) == "C-042"


@pytest.mark.parametrize("is_closed", [True, False], ids=["the day was closed", "the day is not closed yet"])
def test_a_number_that_waits_overnight_is_not_given_again(centre: Centre, is_closed: bool):
    book_overnight(centre, ANNA)
    assert label(centre, ANNA) == "C-001"
    centre.clock.set("2026-03-04", "09:00")
    if is_closed:
        close_days(centre.parts, "2026-03-04")
    assert label(centre, BEN) == "C-002"
    assert centre.do("check")["ok"]


def test_a_number_of_an_exam_that_ended_this_morning_is_not_given_again_today(centre: Centre):
    book_overnight(centre, ANNA)
    assert label(centre, ANNA) == "C-001"
    centre.clock.set(NEXT_DAY, "06:00")
    centre.walk(ANNA, "call_patient", "start_exam", "complete_exam", "make_payment", "make_payment", "leave_hospital")
    centre.clock.set(NEXT_DAY, "23:00")
    assert label(centre, BEN) == "C-002"


def test_the_numbers_of_the_last_hours_are_skipped_after_the_days_start(centre: Centre):
    centre.clock.set(DAY, "12:00")
    assert label(centre, ANNA) == "C-001"
    centre.clock.set(DAY, "23:30")
    assert label(centre, BEN) == "C-002"
    centre.clock.set(NEXT_DAY, "05:00")
    assert [take(centre, NEXT_DAY), take(centre, NEXT_DAY)] == ["C-001", "C-003"]


def test_a_number_whose_entry_staff_ended_before_the_days_start_is_skipped_after_it(centre: Centre):
    assert label(centre, ANNA) == "C-001"
    centre.clock.set(NEXT_DAY, "03:30")
    assert centre.act(ANNA, "cancel_appointment", STAFF).done
    centre.clock.set(NEXT_DAY, "05:00")
    assert take(centre, NEXT_DAY) == "C-002"


def test_a_second_number_of_an_entry_is_skipped_too(centre: Centre):
    book_overnight(centre, ANNA)
    assert label(centre, ANNA) == "C-001"
    with centre.store.write() as db:
        db.execute("update entries set label_aliases = '[\"C-002\"]'")
    centre.clock.set(NEXT_DAY, "09:00")
    assert label(centre, CARA) == "C-003"


def test_a_day_that_begins_soon_after_a_restore_skips_the_numbers_that_may_be_lost(centre: Centre):
    centre.clock.set(DAY, "20:00")
    with centre.store.write() as db:
        note_restore(db, centre.clock())
    first = take(centre)
    assert first > "C-001"
    centre.clock.set(NEXT_DAY, "05:00")
    assert take(centre, NEXT_DAY) == first
    centre.clock.set("2026-03-04", "05:00")
    assert take(centre, "2026-03-04") == "C-001"
