"""Bookings by hand: made, moved, cancelled, and what documents of the hospital do to them."""

from __future__ import annotations

import pytest

from sync.central.imports.take_complete_day import take_complete_day
from sync.central.records.appointments import read_booking, set_booking_exam
from tests.sync.central.centre import DAY, Centre
from tests.sync.central.desk.asking import Desk

BLOOD = f"{DAY}-P01-blood"
AT = f"{DAY}T11:00"


def status(desk: Desk, appointment_id: str, patient_id: str = "P01") -> str:
    return next(
        each["status"] for each in desk.person(patient_id)["bookings"] if each["appointment_id"] == appointment_id
    )


def exam(desk: Desk, appointment_id: str) -> str:
    return next(each["exam_id"] for each in desk.person("P01")["bookings"] if each["appointment_id"] == appointment_id)


def test_a_booking_is_made_moved_and_cancelled_by_hand(desk: Desk):
    made = desk.book("P05", exam_id="xray", scheduled_at=AT)
    assert made["appointment_id"].startswith("desk-")
    moved = desk.move(made["appointment_id"], scheduled_at="2026-03-09T08:00", exam_id="blood")
    assert (moved["exam_id"], moved["scheduled_at"]) == ("blood", "2026-03-09T08:00:00")
    (shown,) = desk.person("P05")["bookings"]
    assert (shown["day"], shown["made_by"], shown["open"]) == ("2026-03-09", "staff:kim", True)
    assert desk.cancel(made["appointment_id"], reason="ill")["status"] == "cancelled"
    (shown,) = desk.person("P05")["bookings"]
    assert (shown["open"], shown["cancelled"]) == (False, True)
    assert desk.move(made["appointment_id"], scheduled_at="2026-03-10")["status"] == "booked"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"exam_id": "dance", "scheduled_at": AT}, "not_found"),
        ({"exam_id": "xray", "scheduled_at": "soon"}, "malformed"),
        ({"exam_id": "xray", "scheduled_at": "2026-02-01"}, "malformed"),
    ],
)
def test_a_booking_that_cannot_be_is_refused(desk: Desk, fields: dict[str, str], code: str):
    assert desk.book("P05", **fields)["code"] == code
    assert desk.person("P05")["bookings"] == []
    assert desk.move("nothing", scheduled_at=AT)["code"] == "not_found"


def test_a_document_that_names_every_booking_of_its_day_leaves_those_made_or_moved_by_hand(desk: Desk, centre: Centre):
    made = desk.book("P05", exam_id="xray", scheduled_at=AT)["appointment_id"]
    desk.move(BLOOD, scheduled_at=f"{DAY}T13:00")
    assert take_complete_day(centre.parts, DAY, [], force=True, check=False)[0] == 31
    assert (status(desk, made, "P05"), status(desk, BLOOD)) == ("booked", "booked")


def test_a_booking_that_a_document_names_is_the_hospitals_again(desk: Desk, centre: Centre):
    desk.move(BLOOD, scheduled_at=f"{DAY}T13:00")
    row = {"appointment_id": BLOOD, "patient_id": "P01", "exam_id": "blood", "scheduled_at": f"{DAY}T09:30"}
    centre.take({"appointments": [row]})
    shown = next(each for each in desk.person("P01")["bookings"] if each["appointment_id"] == BLOOD)
    assert (shown["scheduled_at"], shown["made_by"]) == (f"{DAY}T09:30:00", "")


def test_a_document_has_the_last_word_on_an_exam_by_hand_after_a_move_on_the_board_too(desk: Desk, centre: Centre):
    with centre.store.write() as db:
        found = read_booking(db, BLOOD)
        assert found is not None
        set_booking_exam(db, found, "sleep")
    booking = {"appointment_id": BLOOD, "patient_id": "P01", "exam_id": "blood", "scheduled_at": f"{DAY}T09:30"}
    centre.take({"appointments": [booking]})
    assert exam(desk, BLOOD) == "sleep", "what the board has done stays"
    assert desk.move(BLOOD, exam_id="xray")["exam_id"] == "xray"
    centre.take({"appointments": [booking]})
    assert exam(desk, BLOOD) == "blood"


def test_what_staff_cancelled_stays_cancelled_in_the_document_of_the_night(desk: Desk, centre: Centre):
    desk.cancel(BLOOD, reason="ill")
    row = {"appointment_id": BLOOD, "patient_id": "P01", "exam_id": "blood", "scheduled_at": f"{DAY}T09:30"}
    centre.take({"appointments": [row]})
    assert status(desk, BLOOD) == "cancelled"


def test_the_place_in_the_line_follows_the_booking_and_a_called_patient_is_left_where_they_are(
    desk: Desk, centre: Centre
):
    centre.walk("P01", "scan_nfc", "register", "confirm_arrival")
    desk.move(BLOOD, exam_id="sleep")
    (entry,) = desk.person("P01")["entries"]
    assert (entry["exam_id"], entry["state"]) == ("sleep", "waiting")
    centre.walk("P01", "call_patient")
    assert desk.cancel(BLOOD)["code"] == "not_allowed"
    assert desk.move(BLOOD, exam_id="xray")["code"] == "not_allowed"
    assert centre.rows("select 1 from exceptions") == []
