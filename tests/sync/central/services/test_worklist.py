"""The worklist of an exam for the printer."""

from __future__ import annotations

from typing import Any

import msgspec

from sync.central.services.errors import ApiError
from sync.central.services.told import Told
from sync.central.services.worklist import WantedWorklist, read_worklist
from sync.journey.model import STAFF
from tests.sync.central.centre import DAY, Centre, patient


def worklist(centre: Centre, exam_id: str = "blood") -> dict[str, Any]:
    told = read_worklist(centre.parts, WantedWorklist(exam_id=exam_id))
    assert isinstance(told, Told)
    value = dict(msgspec.json.decode(msgspec.json.encode(told.value)))
    assert list(told.patients) == list(dict.fromkeys(row["patient_id"] for row in value["rows"]))
    return value


def take_bookings(centre: Centre, *bookings: tuple[str, int, str]) -> None:
    made = [
        {"appointment_id": name, "patient_id": patient(number), "exam_id": "desk", "scheduled_at": at}
        for name, number, at in bookings
    ]
    centre.take({"appointments": made})


def test_everybody_of_the_day_is_on_it_in_the_order_of_the_times(centre: Centre):
    take_bookings(centre, ("late", 1, f"{DAY}T15:00"), ("early", 2, f"{DAY}T08:30"), ("any", 3, DAY))
    centre.clock.set(DAY, "10:00")
    centre.walk(patient(5), "scan_nfc", "register", "confirm_arrival")
    found = worklist(centre, "desk")
    assert (found["site"], found["day"], found["title"], found["room"]) == ("Test hospital", DAY, "Desk", "0")
    assert found["timestamp"] == f"{DAY}T10:00:00+09:00"
    shown = [(row["patient_id"], row["at"], row["queue_number"], row["state"], row["status"]) for row in found["rows"]]
    assert shown == [
        ("P02", f"{DAY}T08:30:00+09:00", "", None, "booked"),
        ("P05", f"{DAY}T10:00:00+09:00", "C-001", "waiting", None),
        ("P01", f"{DAY}T15:00:00+09:00", "", None, "booked"),
        ("P03", None, "", None, "booked"),
    ]


def test_a_patient_who_came_is_on_it_once(centre: Centre):
    before = len(worklist(centre)["rows"])
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    rows = worklist(centre)["rows"]
    assert len(rows) == before
    (row,) = [each for each in rows if each["patient_id"] == "P01"]
    assert (row["queue_number"], row["state"], row["booked_at"]) == ("C-001", "waiting", f"{DAY}T09:30:00+09:00")
    assert (row["arrived_at"], row["at"]) == (f"{DAY}T09:00:00+09:00", row["booked_at"])


def test_who_is_done_stays_on_it(centre: Centre):
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    assert centre.act(patient(1), "call_patient", STAFF).done
    centre.walk(patient(1), "start_exam", "complete_exam")
    (row,) = [each for each in worklist(centre)["rows"] if each["patient_id"] == "P01"]
    assert (row["state"], row["is_over"]) == ("completed", True)


def test_a_cancelled_booking_and_one_of_another_day_are_not_on_it(centre: Centre):
    take_bookings(centre, ("mine", 1, f"{DAY}T15:00"), ("other", 2, "2026-03-05T15:00"))
    assert [row["patient_id"] for row in worklist(centre, "desk")["rows"]] == ["P01"]
    centre.take({"appointments": [{"appointment_id": "mine", "status": "cancelled"}]})
    assert worklist(centre, "desk")["rows"] == []


def test_no_exam_has_no_worklist(centre: Centre):
    told = read_worklist(centre.parts, WantedWorklist(exam_id="nowhere"))
    assert isinstance(told, ApiError)
    assert told.code == "not_found"
