"""An action costs few statements: on a database over the network, each is a way there and back."""

from __future__ import annotations

import pytest

from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.centre import DAY, Centre, card, patient
from tests.sync.central.statements import Counted, count_way

STAFF, PATIENT = Role.STAFF.value, Role.PATIENT.value


@pytest.mark.one_database
def test_each_action_costs_so_many_statements(centre: Centre):
    # An action that changes an entry writes seven rows: change number, journey, entry, booking, both histories and the
    # answer. An arrival takes its queue number, and counts the people ahead, by the statement of the change number. One
    # of staff on an entry writes the row of the press, so that it can be undone.
    assert count_way(centre) == {
        (PATIENT, "scan_nfc"): 8,
        (PATIENT, "register"): 8,
        (PATIENT, "confirm_arrival"): 10,
        (STAFF, "call_patient"): 11,
        (STAFF, "mark_no_show"): 11,
        (PATIENT, "enter_exam_room"): 10,
        (STAFF, "complete_exam"): 11,
        (STAFF, "start_exam"): 11,
        (STAFF, "cancel_appointment"): 11,
        (PATIENT, "make_payment"): 7,
        (PATIENT, "leave_hospital"): 8,
    }


@pytest.mark.one_database
def test_the_first_action_of_a_day_costs_no_more_than_others(centre: Centre):
    new_day = "2026-03-05"
    centre.clock.set(new_day, "09:00")
    booking = {"appointment_id": "new", "patient_id": patient(5), "exam_id": "blood"}
    centre.take({"appointments": [booking | {"scheduled_at": f"{new_day}T10:00"}]})
    counted = Counted(centre)
    assert counted.perform(Role.STAFF, "scan_nfc", {"patient_id": patient(5)}) == 200
    assert len(counted.statements) == 9  # with the row of the look
    (journey,) = centre.rows("select state, site_day, journey_version from journeys where patient_id = 'P05'")
    assert journey == {"state": "ARRIVED", "site_day": new_day, "journey_version": 1}
    assert [each["status"] for each in centre.state(patient(5))["appointments"]] == ["booked"]


@pytest.mark.one_database
def test_a_day_that_leaves_something_over_is_closed_first(centre: Centre):
    assert centre.walk(patient(1), "scan_nfc")["journey_state"] == "ARRIVED"
    centre.clock.set("2026-03-05", "09:00")
    counted = Counted(centre)
    assert counted.perform(Role.STAFF, "scan_nfc", {"patient_id": patient(1)}) == 200
    rows = centre.rows("select action, to_state from transitions where patient_id = 'P01' order by change, position")
    assert [row["action"] for row in rows] == ["scan_nfc", "close_day", "scan_nfc"]
    ended = centre.rows("select status from appointments where patient_id = 'P01'")
    assert {row["status"] for row in ended} == {"no_show"}


def test_a_booking_of_tomorrow_that_can_be_used_is_brought_forward(centre: Centre):
    centre.clock.set(DAY, "23:30")
    booking = {"appointment_id": "soon", "patient_id": patient(5), "exam_id": "blood"}
    centre.take({"appointments": [booking | {"scheduled_at": "2026-03-03T00:45"}]})
    state = centre.walk(patient(5), "scan_nfc", "register", "confirm_arrival")
    assert [each["exam_id"] for each in state["queue_details"]] == ["blood"]


@pytest.mark.one_database
def test_a_repeat_and_a_change_of_an_entry_cost_few_statements_too(centre: Centre):
    counted, action_id = Counted(centre), new_id()
    payload = {"patient_id": patient(1), "tag_id": f"iso14443a:{card(1)}"}
    for statements in (9, 3):
        assert counted.perform(Role.STAFF, "scan_nfc", payload, action_id) == 200
        assert len(counted.statements) == statements
    centre.walk(patient(1), "register", "confirm_arrival")
    (queue,) = centre.state(patient(1))["queue_details"]
    assert counted.change_entry(queue["queue_id"], "called") == 200
    assert len(counted.statements) == 11
