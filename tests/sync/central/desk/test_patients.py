"""Patients at the desk: registered with a number or without one, found, changed by hand, and put into a line."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sync.central.desk.find_person import find_doubles, find_person
from sync.ids import is_desk_id, new_id
from sync.journey.model import STAFF
from tests.sync.central.centre import Centre
from tests.sync.central.desk.asking import Desk

HONG = {"name": "홍길동", "birth_date": "1980-05-05"}


def test_a_patient_without_a_number_gets_an_id_that_no_document_may_bring(desk: Desk, centre: Centre):
    made = desk.register(**HONG)
    assert is_desk_id(made["patient_id"])
    assert made["patient_id"].startswith("desk-20260302-")
    assert made["in_line"] is None
    shown = desk.person(made["patient_id"])
    assert (shown["name"], shown["masked_name"], shown["language"]) == ("홍길동", "홍*동", "ko")
    assert (shown["birth_date"], shown["has_number"], shown["on_visit"]) == ("1980-05-05", False, False)
    taken = centre.take({"patients": [{"patient_id": made["patient_id"], "name": "홍길동"}]})
    assert taken["patients"] == 0
    with pytest.raises(Exception, match="the form that the desk gives"):
        centre.take({"patients": [{"patient_id": "desk-20260302-ABCDEF", "name": "홍길동"}]})


def test_a_patient_with_a_number_is_the_one_of_that_number(desk: Desk):
    assert desk.register(patient_id=" N-77 ", name="Anna Berg", language="en")["patient_id"] == "N-77"
    assert desk.register(patient_id="N-77", name="Other Name")["code"] == "patient_exists"
    assert desk.register(patient_id="desk-20260302-ABCDEF", name="Other")["code"] == "malformed"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": " "}, "name is empty"),
        ({"name": "a\u202eb"}, "nobody sees"),
        ({"name": "A", "birth_date": "1980-13-01"}, "no date"),
        ({"name": "A", "birth_date": "2030-01-01"}, "future"),
        ({"name": "A", "language": "Korean!"}, "language"),
    ],
)
def test_a_registration_that_cannot_be_stored_is_refused_whole(
    desk: Desk, centre: Centre, fields: dict[str, Any], said: str
):
    before = centre.rows("select count(*) as n from patients")
    found = desk.register(**fields)
    assert found["code"] == "malformed"
    assert said in found["error"]
    assert centre.rows("select count(*) as n from patients") == before


def test_records_that_may_be_of_the_same_person_are_shown_first(desk: Desk, centre: Centre):
    first = desk.register(**HONG)["patient_id"]
    assert desk.register(**HONG)["code"] == "possible_double"
    assert desk.register(name="홍길동")["code"] == "possible_double"
    assert desk.register(**HONG | {"name": "홍 길동"})["code"] == "possible_double"
    told = find_doubles(centre.parts, "홍길동", "1980-05-05", None)
    assert [each["patient_id"] for each in msgspec.to_builtins(told.value)["people"]] == [first]
    assert desk.register(**HONG, seen_doubles=[first])["patient_id"] != first
    assert desk.register(name="홍길동", birth_date="1990-01-01")["in_line"] is None
    assert desk.register(patient_id="p01", name="Nobody Alike")["code"] == "possible_double"


def test_a_repeat_of_a_registration_registers_nobody_again(desk: Desk):
    action_id = new_id()
    first = desk.register(action_id, **HONG, walk_in=True)
    assert desk.register(action_id, **HONG, walk_in=True) == first
    assert desk.register(action_id, name="Other")["code"] == "action_id_reused"


def test_a_walk_in_is_registered_arrived_and_in_the_line_by_one_action(desk: Desk, centre: Centre):
    made = desk.register(**HONG, walk_in=True)
    place = made["in_line"]
    assert (place["exam_id"], place["queue_number"], place["people_ahead"]) == ("desk", "C-001", 0)
    at_exam = desk.register(name="Anna Berg", walk_in=True, exam_id="xray")["in_line"]
    assert (at_exam["exam_id"], at_exam["queue_number"], at_exam["room"]) == ("xray", "C-002", "2")
    assert centre.state(made["patient_id"])["journey_state"] == "WAITING"
    rows = centre.rows("select action, source, metadata from transitions where patient_id = :id", id=made["patient_id"])
    assert [row["action"] for row in rows] == ["scan_nfc", "register", "confirm_arrival"]
    assert all("홍" not in row["metadata"] for row in rows)


def test_a_walk_in_for_an_exam_that_is_none_leaves_nobody_registered(desk: Desk, centre: Centre):
    before = centre.rows("select count(*) as n from patients")
    assert desk.register(**HONG, walk_in=True, exam_id="dance")["code"] == "not_found"
    assert centre.rows("select count(*) as n from patients") == before


def test_a_patient_with_bookings_may_walk_in_for_another_exam_and_keeps_them(desk: Desk, centre: Centre):
    assert desk.walk_in("P01", exam_id="sleep")["exam_id"] == "sleep"
    shown = desk.person("P01")
    assert {each["exam_id"]: each["status"] for each in shown["bookings"]} == {"blood": "arrived", "xray": "arrived"}
    assert desk.walk_in("P01", exam_id="xray")["code"] == "not_allowed"
    for action in ("call_patient", "start_exam", "complete_exam"):
        assert centre.act("P01", action, STAFF).done
    assert desk.walk_in("P01", exam_id="xray")["queue_number"] == "C-002"
    booked = {each["exam_id"]: each["status"] for each in desk.person("P01")["bookings"]}
    assert booked == {"blood": "arrived", "xray": "waiting"}


def test_a_booking_of_the_exam_is_the_one_that_a_walk_in_is_for(desk: Desk):
    desk.walk_in("P01", exam_id="xray")
    booked = {each["exam_id"]: each["status"] for each in desk.person("P01")["bookings"]}
    assert booked == {"blood": "arrived", "xray": "waiting"}


def test_what_another_system_decides_the_desk_does_not_do(desk: Desk, centre: Centre):
    centre.do("site", decides=["register=legacy"])
    assert desk.walk_in("P01")["code"] == "decided_elsewhere"
    assert desk.register(**HONG, walk_in=True)["code"] == "decided_elsewhere"
    assert desk.person("P01")["journey_state"] == "UNREGISTERED"
    assert desk.walk_in("nobody")["code"] == "unknown_patient"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("P03", ["P03"]),
        ("환자03", ["P03"]),
        ("환자03 1970-01-01", ["P03"]),
        ("환자03 19700101", ["P03"]),
        ("환자03 1971-01-01", []),
        ("1980-05-05", ["N-1"]),
        ("800505", ["N-1"]),
        ("berg a", ["N-1"]),
        ("c1", ["N-1"]),
        ("04C0FFEE000007", ["P07"]),
        ("04c0ffee990007", []),
        ("felica:", []),
        ("%", []),
        ("-", []),
    ],
)
def test_a_patient_is_found_by_what_people_type(desk: Desk, centre: Centre, text: str, found: list[str]):
    desk.register(patient_id="N-1", name="Anna Berg", birth_date="1980-05-05", walk_in=True)
    told = find_person(centre.parts, text)
    assert [each["patient_id"] for each in msgspec.to_builtins(told.value)["people"]] == found
    assert list(told.patients) == found


def test_a_change_by_hand_counts_until_the_next_document(desk: Desk, centre: Centre):
    assert desk.change("P01", name="Anna Berg", birth_date="", language="en")["changed"]
    shown = desk.person("P01")
    assert (shown["name"], shown["masked_name"], shown["birth_date"]) == ("Anna Berg", "A**a B**g", None)
    assert not desk.change("P01", name="Anna Berg")["changed"]
    assert desk.change("P01", birth_date="2030-01-01")["code"] == "malformed"
    centre.take({"patients": [{"patient_id": "P01", "name": "환자01"}]})
    assert desk.person("P01")["name"] == "환자01"


def test_who_did_it_is_in_the_audit(desk: Desk, centre: Centre):
    made = desk.register(**HONG, walk_in=True)
    desk.change(made["patient_id"], language="en")
    rows = centre.rows(
        "select kind, who from audit where patient_id = :id and kind not like 'look:%' order by kind",
        id=made["patient_id"],
    )
    assert [(row["kind"], row["who"]) for row in rows] == [
        ("change_patient", "staff:kim"),
        ("register_patient", "staff:kim"),
        ("walk_in", "staff:kim"),
    ]
