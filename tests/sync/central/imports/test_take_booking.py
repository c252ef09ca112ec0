"""A row of `appointments` changes a booking, and the queue entry of the booking goes with it."""

from __future__ import annotations

from typing import Any

import pytest

from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import RefusedRow, RowOutcome, TakenRow
from sync.central.imports.parts import AppointmentPart, Kind, read_part
from sync.central.imports.take_booking import take_booking
from sync.central.records.site import read_site
from sync.journey.model import STAFF
from tests.sync.central.centre import DAY, Centre, patient

ANNA = patient(1)
BLOOD, XRAY = f"{DAY}-{ANNA}-blood", f"{DAY}-{ANNA}-xray"
NEXT_DAY = "2026-03-03"
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")


def take(centre: Centre, appointment_id: str, **fields: Any) -> RowOutcome:
    part = read_part(Kind.APPOINTMENT, {"appointment_id": appointment_id, **fields})
    assert isinstance(part, AppointmentPart), part
    parts = centre.parts
    with centre.store.write() as db:
        site, now_ms = read_site(db), centre.clock()
        return take_booking(ImportContext(db, parts.definitions, parts.keys, site, site.day(now_ms), now_ms), part)


def booking(centre: Centre, appointment_id: str = BLOOD) -> dict[str, Any]:
    (row,) = centre.rows("select * from appointments where appointment_id = :id", id=appointment_id)
    return row


def cases(centre: Centre) -> list[dict[str, Any]]:
    return [each for each in centre.do("exceptions")["exceptions"] if each["code"] == "booking_moved"]


def current(centre: Centre) -> dict[str, Any]:
    (entry,) = centre.state(ANNA)["queue_details"]
    return entry


def is_well(centre: Centre) -> bool:
    return bool(centre.do("check")["ok"])


@pytest.fixture
def waiting(centre: Centre) -> Centre:
    centre.walk(ANNA, *TO_WAITING)
    return centre


@pytest.fixture
def called(waiting: Centre) -> Centre:
    waiting.act(ANNA, "call_patient", STAFF)
    return waiting


def test_a_waiting_patient_moves_to_the_line_of_the_other_exam_with_the_number_that_is_on_paper(waiting: Centre):
    before = current(waiting)
    arrived = waiting.rows("select opened_ms from entries")
    waiting.clock.now_ms += 60_000
    assert take(waiting, BLOOD, exam_id="sleep") == TakenRow(changed=True)
    now = current(waiting)
    assert (now["exam_id"], now["exam_name"]) == ("sleep", "Ward")
    assert (now["queue_id"], now["queue_number"]) == (before["queue_id"], before["queue_number"])
    assert waiting.rows("select opened_ms from entries") == arrived
    (row,) = waiting.rows("select * from entry_history where reason = 'move_booking'")
    assert (row["previous"], row["new"], row["who"]) == ("waiting", "waiting", "import")
    assert booking(waiting)["status"] == "waiting"
    assert is_well(waiting)


def test_who_has_arrived_has_arrived_for_the_other_exam_too(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register")
    assert take(centre, BLOOD, exam_id="sleep") == TakenRow(changed=True)
    assert (booking(centre)["exam_id"], booking(centre)["status"]) == ("sleep", "arrived")


def test_another_time_of_the_day_takes_no_missed_call_back_while_the_place_is_kept(called: Centre):
    called.act(ANNA, "mark_no_show", STAFF)
    assert take(called, BLOOD, scheduled_at=f"{DAY}T15:00") == TakenRow(changed=True)
    (entry,) = called.rows("select state from entries")
    assert (booking(called)["status"], entry["state"]) == ("no_show", "no_show")
    assert called.rows("select 1 from entry_history where reason = 'move_booking'") == []
    assert is_well(called)


def test_kiosks_and_apps_hear_of_an_entry_that_moved_and_the_journey_has_a_new_version(waiting: Centre):
    (before,) = waiting.rows("select journey_version, change from journeys where patient_id = :id", id=ANNA)
    heard = []
    with waiting.store.news.listen(ANNA, heard.append):
        take(waiting, BLOOD, exam_id="sleep")
    (after,) = waiting.rows("select journey_version, change from journeys where patient_id = :id", id=ANNA)
    assert after["journey_version"] == before["journey_version"] + 1
    assert after["change"] > before["change"]
    assert len(heard) == 1


@pytest.mark.parametrize("how", [{"exam_id": "sleep"}, {"scheduled_at": f"{NEXT_DAY}T10:00"}, {"status": "cancelled"}])
def test_a_called_patient_is_not_moved_and_staff_get_one_case(called: Centre, how: dict[str, str]):
    before = current(called)
    take(called, BLOOD, **how)
    take(called, BLOOD, **how)
    assert current(called) == before
    (case,) = cases(called)
    assert case["patient_id"] == ANNA
    assert case["detail"]["queue_number"] == before["queue_number"]
    assert case["detail"]["before"]["exam_id"] == "blood"
    assert case["detail"]["before"] != case["detail"]["after"]
    assert is_well(called)
    called.do("settle", exception_id=case["exception_id"], how="discard", reason="seen to")
    assert is_well(called)


def test_a_booking_that_goes_back_while_the_patient_is_called_closes_its_case(called: Centre):
    take(called, BLOOD, exam_id="sleep")
    take(called, BLOOD, exam_id="blood")
    assert cases(called) == []
    assert booking(called)["status"] == "waiting"
    called.act(ANNA, "start_exam", STAFF)
    called.act(ANNA, "complete_exam", STAFF)
    assert booking(called)["status"] == "completed"


def test_the_other_exam_of_a_called_patient_is_the_next_one_and_never_the_desk(called: Centre):
    take(called, BLOOD, exam_id="sleep")
    for action in ("start_exam", "complete_exam"):
        called.act(ANNA, action, STAFF)
    assert booking(called)["status"] == "booked"
    called.walk(ANNA, "confirm_arrival")
    assert current(called)["exam_id"] == "sleep"


@pytest.mark.parametrize("how", [{"scheduled_at": f"{NEXT_DAY}T10:00"}, {"status": "cancelled"}])
def test_a_waiting_patient_whose_booking_is_gone_waits_no_longer(waiting: Centre, how: dict[str, str]):
    take(waiting, BLOOD, **how)
    state = waiting.state(ANNA)
    assert (state["journey_state"], state["queue_details"]) == ("COMPLETED", [])
    assert waiting.rows("select state from entries") == [{"state": "cancelled"}]
    assert is_well(waiting)
    waiting.walk(ANNA, "confirm_arrival")
    assert current(waiting)["exam_id"] == "xray"


def test_a_place_of_the_day_that_begins_just_now_follows_its_booking(centre: Centre):
    take(centre, BLOOD, scheduled_at=f"{NEXT_DAY}T10:00")
    centre.clock.set(NEXT_DAY, "04:00")
    centre.walk(ANNA, *TO_WAITING)
    centre.clock.now_ms -= 1  # the import read the clock, and waited for the writer
    take(centre, BLOOD, exam_id="sleep")
    assert (current(centre)["exam_id"], booking(centre)["status"]) == ("sleep", "waiting")


def test_a_booking_that_was_moved_to_tomorrow_can_be_used_tomorrow(waiting: Centre):
    take(waiting, BLOOD, scheduled_at=f"{NEXT_DAY}T10:00")
    waiting.clock.set(NEXT_DAY, "09:00")
    waiting.walk(ANNA, *TO_WAITING)
    assert current(waiting)["exam_id"] == "blood"


def test_an_unused_booking_that_is_cancelled_is_left_alone_by_an_arrival(centre: Centre):
    take(centre, BLOOD, status="cancelled")
    centre.walk(ANNA, *TO_WAITING)
    assert current(centre)["exam_id"] == "xray"


def test_a_booking_that_nobody_knew_needs_no_cancellation(centre: Centre):
    outcome = take(centre, "never-heard-of", status="cancelled")
    assert isinstance(outcome, TakenRow)
    assert (outcome.changed, bool(outcome.note)) == (False, True)


def test_an_exam_that_is_done_is_not_cancelled(called: Centre):
    for action in ("start_exam", "complete_exam"):
        called.act(ANNA, action, STAFF)
    outcome = take(called, BLOOD, status="cancelled")
    assert isinstance(outcome, TakenRow)
    assert (outcome.changed, bool(outcome.note)) == (False, True)
    assert booking(called)["status"] == "completed"


@pytest.mark.parametrize("status", ["completed", "waiting", "gone"])
def test_a_document_cannot_say_what_became_of_a_booking_here(centre: Centre, status: str):
    assert isinstance(take(centre, BLOOD, status=status), RefusedRow)
    assert booking(centre)["status"] == "booked"


def test_what_staff_cancelled_stays_cancelled_whatever_each_night_says(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register")
    centre.act(ANNA, "cancel_appointment", STAFF, exam_id="blood")
    assert take(centre, BLOOD, status="booked", scheduled_at=f"{DAY}T09:30") == TakenRow(changed=False)
    assert booking(centre)["status"] == "cancelled"


def test_what_the_hospital_cancelled_the_hospital_books_again(centre: Centre):
    take(centre, BLOOD, status="cancelled")
    take(centre, BLOOD, exam_id="blood")
    assert booking(centre)["status"] == "cancelled"
    take(centre, BLOOD, status="booked")
    assert booking(centre)["status"] == "booked"
    take(centre, BLOOD, status="cancelled")
    take(centre, BLOOD, scheduled_at=f"{DAY}T11:00")
    assert booking(centre)["status"] == "booked"


def test_two_bookings_of_one_exam_each_move_alone(centre: Centre):
    take(centre, "second", patient_id=ANNA, exam_id="blood", scheduled_at=f"{DAY}T09:45")
    centre.walk(ANNA, *TO_WAITING)
    take(centre, "second", exam_id="sleep")
    assert current(centre)["exam_id"] == "blood"
    take(centre, BLOOD, exam_id="sleep")
    assert current(centre)["exam_id"] == "sleep"


def test_an_exam_that_was_done_and_became_another_one_is_booked_for_it(called: Centre):
    for action in ("start_exam", "complete_exam"):
        called.act(ANNA, action, STAFF)
    take(called, BLOOD, exam_id="sleep")
    assert booking(called)["status"] == "booked"


def test_a_booking_that_moves_after_its_day_ended_ends_no_entry_of_today(waiting: Centre):
    waiting.clock.set(NEXT_DAY, "09:00")
    take(waiting, BLOOD, scheduled_at=f"{NEXT_DAY}T10:00")
    assert cases(waiting) == []
    assert booking(waiting)["status"] == "booked"
    waiting.walk(ANNA, *TO_WAITING)
    assert current(waiting)["exam_id"] == "blood"


@pytest.mark.parametrize("said", [DAY, DAY.replace("-", "")])
def test_a_date_without_a_time_is_the_whole_day_of_the_site(centre: Centre, said: str):
    take(centre, "day", patient_id=ANNA, exam_id="sleep", scheduled_at=said)
    row = booking(centre, "day")
    assert (row["site_day"], row["all_day"], row["scheduled_at"]) == (DAY, 1, DAY)
    assert centre.state(ANNA)["appointments"][-1]["scheduled_at"] == DAY


def test_midnight_is_a_time_and_belongs_to_the_day_before(centre: Centre):
    take(centre, "night", patient_id=ANNA, exam_id="sleep", scheduled_at=f"{NEXT_DAY}T00:00:00")
    row = booking(centre, "night")
    assert (row["site_day"], row["all_day"]) == (DAY, 0)


def test_a_booking_gets_a_time_and_loses_it_again(centre: Centre):
    take(centre, BLOOD, scheduled_at=DAY)
    assert booking(centre)["all_day"] == 1
    take(centre, BLOOD, scheduled_at=f"{DAY}T09:30")
    assert (booking(centre)["all_day"], booking(centre)["status"]) == (0, "booked")


@pytest.mark.parametrize("said", ["tomorrow", "2026-13-01", "1999-12-31", "1999-12-31T10:00", "2026-03-02T25:00"])
def test_what_is_no_time_of_a_booking_is_refused(centre: Centre, said: str):
    assert isinstance(take(centre, BLOOD, scheduled_at=said), RefusedRow)
