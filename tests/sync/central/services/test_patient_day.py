"""A patient's day at a glance."""

from __future__ import annotations

from typing import Any

import msgspec

from sync.central.records.cases import BOOKING_MOVED, NewCase, open_case
from sync.central.services.change_entry import change_entry
from sync.central.services.errors import ApiError
from sync.central.services.patient_day import patient_day
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.told import Told
from sync.ids import new_id
from sync.journey.model import STAFF
from tests.sync.central.centre import DAY, Centre, card, patient

NURSE = Requester(STAFF, "staff:Nurse Kim (1a2b3c4d5e6f)", "rest")


def day(centre: Centre, named: str = "P01") -> dict[str, Any]:
    told = patient_day(centre.parts, named)
    assert isinstance(told, Told)
    return dict(msgspec.json.decode(msgspec.json.encode(told.value)))


def press(centre: Centre, action_type: str, **payload: object) -> None:
    assert perform(centre.parts, NURSE, patient(1), ActionRequest(action_type, new_id(), payload)).done


def test_a_day_that_has_not_begun_has_the_bookings_alone(centre: Centre):
    found = day(centre)
    assert found["person"] == {
        "patient_id": "P01",
        "name": "환자01",
        "masked_name": "환**1",
        "birth_date": "1970-01-01",
        "language": "ko",
        "other_ids": [],
    }
    assert (found["journey_state"], found["entries"], found["visits"], found["timeline"]) == (
        "UNREGISTERED",
        [],
        [],
        [],
    )
    assert [each["exam_id"] for each in found["appointments"]] == ["blood", "xray"]
    assert (found["cards"], found["cases"]) == (1, [])


def test_the_timeline_says_what_happened_when_and_by_whom(centre: Centre):
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    centre.clock.now_ms += 60_000
    press(centre, "call_patient", room="7")
    press(centre, "mark_no_show")
    (queue,) = [each["queue_id"] for each in day(centre)["entries"]]
    change = ActionRequest("change_entry", new_id(), {"state": "delayed", "reason": "has gone to eat"})
    assert change_entry(centre.parts, NURSE, queue, change).done
    timeline = day(centre)["timeline"]
    assert [each["action"] for each in timeline] == [
        *("scan_nfc", "register", "confirm_arrival", "call_patient", "mark_no_show", "change_entry"),
    ]
    arrival, called, delayed = timeline[2], timeline[3], timeline[5]
    assert (arrival["by_kind"], arrival["from_state"], arrival["to_state"]) == ("patient", "REGISTERED", "WAITING")
    assert [(each["previous"], each["new"]) for each in arrival["entries"]] == [(None, "waiting")]
    assert (called["by"], called["by_kind"], called["trigger_type"]) == ("Nurse Kim", "staff", "staff_action")
    assert called["happened_at"] == f"{DAY}T09:01:00+09:00"
    assert [(each["previous"], each["new"]) for each in called["entries"]] == [("waiting", "called")]
    assert called["entries"][0]["exam_name"] == "HIV test"
    assert (delayed["from_state"], delayed["by"], delayed["time_quality"]) == (None, "Nurse Kim", None)
    assert delayed["entries"][0]["reason"] == "has gone to eat"


def test_an_action_of_staff_without_an_entry_names_the_person_too(centre: Centre):
    press(centre, "scan_nfc")
    (event,) = day(centre)["timeline"]
    assert (event["action"], event["by"], event["by_kind"], event["where"]) == ("scan_nfc", "Nurse Kim", "staff", "")


def test_the_entries_have_the_people_ahead_and_what_staff_may_do(centre: Centre):
    for number in (2, 1):
        centre.clock.now_ms += 1000
        centre.walk(patient(number), "scan_nfc", "register", "confirm_arrival")
    (entry,) = day(centre)["entries"]
    assert (entry["people_ahead"], entry["estimated_wait_time"]) == (1, 5)
    assert entry["actions"] == ["call_patient", "mark_no_show", "cancel_appointment"]


def test_visits_cards_and_open_cases_are_told(centre: Centre):
    centre.walk(patient(1), "scan_nfc")
    centre.take({"patients": [{"patient_id": "P01", "name": "환자01", "cards": [card(1), card(99)]}]})
    case_id = new_id()
    with centre.store.write() as db:
        open_case(db, case_id, NewCase(BOOKING_MOVED, None, {}, "P01"), centre.clock())
    found = day(centre)
    assert (found["cards"], found["cases"]) == (2, [case_id])
    (visit,) = found["visits"]
    assert (visit["ordinal"], visit["opened_at"], visit["closed_at"]) == (1, f"{DAY}T09:00:00+09:00", None)


def test_what_happened_on_other_days_is_not_told(centre: Centre):
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    centre.clock.set("2026-03-03", "09:00")
    found = day(centre)
    assert (found["timeline"], found["entries"], found["visits"]) == ([], [], [])
    assert found["journey_state"] == "UNREGISTERED"


def test_a_merged_record_is_found_by_its_id_and_named(centre: Centre):
    with centre.store.write() as db:
        db.execute("insert into patient_aliases values ('FORMER', 'P01', 1, 1)")
    assert day(centre, "FORMER")["person"]["patient_id"] == "P01"
    assert day(centre)["person"]["other_ids"] == ["FORMER"]


def test_nobody_has_no_day(centre: Centre):
    told = patient_day(centre.parts, "nobody")
    assert isinstance(told, ApiError)
    assert told.code == "unknown_patient"
