"""A row of `exams` changes an exam that patients wait for."""

from __future__ import annotations

from typing import Any

import pytest

from sync.journey.model import STAFF
from tests.sync.central.centre import DAY, Centre, patient
from tests.sync.central.imports.rows import sent, take, taken

ANNA = patient(1)
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")


def current(centre: Centre) -> dict[str, Any]:
    (entry,) = centre.state(ANNA)["queue_details"]
    return entry


@pytest.fixture
def waiting(centre: Centre) -> Centre:
    centre.walk(ANNA, *TO_WAITING)
    return centre


def test_a_waiting_patient_is_sent_to_the_new_room_and_keeps_the_number(waiting: Centre):
    before = current(waiting)
    heard: list[Any] = []
    with waiting.store.news.listen(ANNA, heard.append):
        taken(waiting, sent("exams", exam_id="blood", room="401", public_label="Blood"))
    now = current(waiting)
    assert (now["room"], now["exam_name"], now["queue_number"]) == ("401", "Blood", before["queue_number"])
    assert heard
    (row,) = waiting.rows("select moved_from, moved_from_room from entries")
    assert row == {"moved_from": "Blood test", "moved_from_room": "1"}
    assert waiting.do("check")["ok"]


def test_an_exam_that_becomes_overnight_keeps_who_waits_for_it_over_the_night(waiting: Centre):
    taken(waiting, sent("exams", exam_id="blood", overnight=True))
    waiting.clock.set("2026-03-03", "09:00")
    assert current(waiting)["exam_id"] == "blood"


def test_a_called_patient_stays_in_the_room_of_the_call(waiting: Centre):
    waiting.act(ANNA, "call_patient", STAFF, room="7")
    before = current(waiting)
    taken(waiting, sent("exams", exam_id="blood", room="401", minutes=20))
    assert current(waiting) == before
    waiting.walk(ANNA, "start_exam")
    taken(waiting, sent("exams", exam_id="blood", public_label="Blood"))
    assert current(waiting) == before | {"state": "in_progress"}


def test_an_entry_that_has_ended_keeps_the_room_where_it_was(waiting: Centre):
    waiting.act(ANNA, "cancel_appointment", STAFF)
    taken(waiting, sent("exams", exam_id="blood", room="401"))
    assert waiting.rows("select room from entries") == [{"room": "1"}]


@pytest.mark.one_database
def test_the_patients_in_line_are_found_without_a_walk_over_all_entries(centre: Centre):
    plan = centre.rows(
        "explain query plan select distinct patient_id from entries where site_day in ('a', 'b') and exam_id = 'x'"
        " and state in ('waiting', 'called') order by patient_id"
    )
    assert "entries_of_line" in plan[0]["detail"]


def test_a_line_that_stands_by_booking_from_now_on_is_sorted_so_and_back_again(waiting: Centre):
    def stands() -> list[int]:
        return [row["line_ms"] - row["opened_ms"] for row in waiting.rows("select line_ms, opened_ms from entries")]

    assert stands() == [0]
    taken(waiting, sent("exams", exam_id="blood", order="booking"))
    assert stands() == [30 * 60_000], "booked for half past nine, and came at nine"
    taken(waiting, sent("exams", exam_id="blood", room="4"))
    assert stands() == [30 * 60_000], "what a row leaves out stays"
    taken(waiting, sent("exams", exam_id="blood", order=None))
    assert stands() == [0]
    assert waiting.do("check")["ok"]


def test_another_time_of_the_booking_is_another_place_in_a_line_by_booking(waiting: Centre):
    taken(waiting, sent("exams", exam_id="blood", order="booking"))
    booking = {"appointment_id": f"{DAY}-{ANNA}-blood", "scheduled_at": f"{DAY}T11:00"}
    taken(waiting, sent("appointments", **booking))
    (row,) = waiting.rows("select line_ms - opened_ms as after_ms from entries")
    assert row == {"after_ms": 120 * 60_000}


def test_an_order_of_another_name_is_refused(waiting: Centre):
    (answer,) = take(waiting, sent("exams", exam_id="blood", order="alphabet"))
    assert "order" in str(answer.refused)
