"""The search of patients for a board."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sync.central.services.errors import ApiError
from sync.central.services.find_patients import MOST_FOUND, WantedPatient, find_patients
from sync.central.services.told import Told
from tests.sync.central.centre import DAY, Centre, card, patient


def find(centre: Centre, q: str = "", **more: Any) -> dict[str, Any]:
    found = find_patients(centre.parts, WantedPatient(q=q, **more))
    assert isinstance(found, Told)
    value = dict(msgspec.to_builtins(found.value))
    assert list(found.patients) == [each["patient_id"] for each in value["patients"]]
    return value


def ids(centre: Centre, q: str = "", **more: Any) -> list[str]:
    return [each["patient_id"] for each in find(centre, q, **more)["patients"]]


def test_a_patient_is_found_by_each_of_what_people_know(centre: Centre):
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    (queue,) = centre.state(patient(1))["queue_details"]
    assert queue["queue_number"] == "C-001"
    for text in ("C-001", "c001", "P01", "p01", " 환자01 ", "환자01"):
        assert ids(centre, text) == ["P01"], text
    assert ids(centre, tag_id=f"iso14443a:{card(1)}") == ["P01"]


def test_what_a_patient_has_today_is_told(centre: Centre):
    centre.walk(patient(1), "scan_nfc", "register", "confirm_arrival")
    (found,) = find(centre, "P01")["patients"]
    assert (found["name"], found["masked_name"], found["birth_date"]) == ("환자01", "환**1", "1970-01-01")
    assert found["journey_state"] == "WAITING"
    assert [(each["exam_id"], each["exam_name"], each["state"]) for each in found["entries"]] == [
        ("blood", "HIV test", "waiting")
    ]
    assert [(each["exam_id"], each["status"]) for each in found["appointments"]] == [
        ("blood", "waiting"),
        ("xray", "arrived"),
    ]


def test_those_of_today_come_before_all_records(centre: Centre):
    centre.take(
        {"patients": [{"patient_id": "OLD", "name": "환자 Old"}, {"patient_id": "LONE", "name": "Lone Ranger"}]}
    )
    assert "OLD" not in ids(centre, "환자")
    answer = find(centre, "ranger")
    assert ([each["patient_id"] for each in answer["patients"]], answer["is_of_today"]) == (["LONE"], False)
    assert find(centre, "환자01")["is_of_today"] is True


def test_an_id_is_found_on_any_day_and_through_a_merge(centre: Centre):
    assert ids(centre, "P05") == ["P05"]  # has no booking
    with centre.store.write() as db:
        db.execute("insert into patient_aliases values ('FORMER', 'P05', 1, 1)")
    assert ids(centre, "FORMER") == ["P05"]


def test_a_journey_of_a_day_that_has_ended_begins_again(centre: Centre):
    centre.walk(patient(1), "scan_nfc")
    centre.clock.set("2026-03-04", "09:00")
    (found,) = find(centre, "P01")["patients"]
    assert (found["journey_state"], found["entries"], found["appointments"]) == ("UNREGISTERED", [], [])


def test_there_are_at_most_so_many(centre: Centre):
    people = [{"patient_id": f"X{n}", "name": f"Xu Many{n}"} for n in range(30)]
    booked = [
        {"appointment_id": f"x{n}", "patient_id": f"X{n}", "exam_id": "blood", "scheduled_at": f"{DAY}T10:00"}
        for n in range(MOST_FOUND)
    ]
    centre.take({"patients": people, "appointments": booked})
    answer = find(centre, "xu")
    assert (len(answer["patients"]), answer["more"]) == (MOST_FOUND, False)
    centre.take({"appointments": [booked[0] | {"appointment_id": "x", "patient_id": "X25"}]})
    answer = find(centre, "xu")
    assert (len(answer["patients"]), answer["more"]) == (MOST_FOUND, True)


@pytest.mark.parametrize("text", ["-", "%", "_", "\\", "x" * 1000, "' or 1=1 --", "환자99", "%%%", "C-999"])
def test_a_text_that_means_nobody_finds_nobody(centre: Centre, text: str):
    assert find(centre, text)["patients"] == []


@pytest.mark.parametrize("tag", ["04ffffffffffff", "iso14443a:04ffffffffffff", "a text"])
def test_a_card_that_nobody_holds_finds_nobody(centre: Centre, tag: str):
    assert find(centre, tag_id=tag)["patients"] == []


@pytest.mark.parametrize("wanted", [WantedPatient(), WantedPatient(q="  "), WantedPatient(tag_id="")])
def test_a_search_for_nothing_is_refused(centre: Centre, wanted: WantedPatient):
    found = find_patients(centre.parts, wanted)
    assert isinstance(found, ApiError)
    assert found.code == "malformed"
