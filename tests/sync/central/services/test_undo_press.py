"""Undo: each press of staff goes back while nothing newer has happened, and is refused with what came after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from sync.central.maintenance.health import check
from sync.central.maintenance.housekeeping import close_days
from sync.central.records.presses import delete_old_presses, undoable_presses
from sync.ids import new_id
from sync.journey.model import BuiltIn
from tests.sync.central.centre import Centre, patient

from .pressing import KIM, LEE, act, call, change, said, undo, waiting

ONE = patient(1)


@pytest.fixture(autouse=True)
def well(centre: Centre):
    yield
    with centre.store.read() as db:
        health = check(db, centre.parts.definitions)
    assert health.ok


def picture(centre: Centre, number: int = 1) -> dict[str, Any]:
    """All that a press may change of a patient, but for versions and times."""
    one = {"id": patient(number)}
    return {
        "journey": centre.rows(
            "select state, visit_id, leg, current_queue_id from journeys where patient_id = :id", **one
        ),
        "entries": centre.rows("select * from entries where patient_id = :id order by queue_id", **one),
        "bookings": centre.rows("select * from appointments where patient_id = :id order by appointment_id", **one),
    }


def undoable(centre: Centre, number: int = 1) -> dict[str, str]:
    with centre.store.read() as db:
        return {queue_id: press.action for queue_id, press in undoable_presses(db, [patient(number)]).items()}


PRESSES = {
    "call_patient": ((), {"room": "7"}),
    "mark_no_show": ((), {}),
    "cancel_appointment": ((), {}),
    "start_exam": (("call_patient",), {}),
    "complete_exam": (("call_patient", "start_exam"), {}),
}


@pytest.mark.parametrize("action", PRESSES)
def test_each_action_of_staff_goes_back_for_anybody_with_the_duty(centre: Centre, action: str):
    queue_id, pressed = waiting(centre, 1), new_id()
    before, payload = PRESSES[action]
    for each in before:
        assert act(centre, 1, each).done
    was = picture(centre)
    assert act(centre, 1, action, action_id=pressed, **payload).done
    assert undoable(centre) == {queue_id: action}
    answer = undo(centre.parts, pressed, LEE)
    assert answer.done, answer.body
    assert picture(centre) == was
    assert said(answer)["journey_state"] == was["journey"][0]["state"]
    row = centre.rows("select action, action_id, source, metadata from transitions order by change desc limit 1")[0]
    assert (row["action"], pressed in row["metadata"]) == (BuiltIn.UNDO, True)
    (last,) = centre.rows("select who, reason, new from entry_history order by change desc, position desc limit 1")
    assert last == {"who": LEE.who, "reason": BuiltIn.UNDO, "new": was["entries"][0]["state"]}


@pytest.mark.parametrize("state", ["delayed", "called", "no_show", "in_progress", "completed", "cancelled"])
def test_each_direct_change_goes_back(centre: Centre, state: str):
    queue_id, pressed = waiting(centre, 1), new_id()
    was = picture(centre)
    assert change(centre, queue_id, state, action_id=pressed).done
    assert undo(centre.parts, pressed).done
    assert picture(centre) == was


def test_the_call_of_the_next_goes_back_and_the_patient_is_the_first_again(centre: Centre):
    first, pressed = waiting(centre, 1), new_id()
    waiting(centre, 2)
    assert call(centre.parts, first, action_id=pressed).done
    assert undoable(centre) == {first: "call_next"}
    assert undo(centre.parts, pressed).done
    assert call(centre.parts, first).done


def test_presses_go_back_one_after_the_other_and_can_be_made_again(centre: Centre):
    queue_id, called, begun = waiting(centre, 1), new_id(), new_id()
    was = picture(centre)
    act(centre, 1, "call_patient", action_id=called)
    act(centre, 1, "start_exam", action_id=begun)
    refused = said(undo(centre.parts, called))
    assert (refused["code"], refused["journey_state"]) == ("not_undoable", "IN_PROGRESS")
    assert (refused["after"]["action"], refused["after"]["by"]) == ("start_exam", "Kim")
    assert undo(centre.parts, begun).done
    assert undoable(centre) == {queue_id: "call_patient"}
    assert undo(centre.parts, called).done
    assert (picture(centre), undoable(centre)) == (was, {})
    assert act(centre, 1, "call_patient").done


def test_a_patient_who_has_gone_on_is_not_brought_back(centre: Centre):
    waiting(centre, 1)
    pressed = new_id()
    act(centre, 1, "call_patient", action_id=pressed)
    centre.walk(ONE, "enter_exam_room")
    refused = said(undo(centre.parts, pressed))
    assert (refused["code"], refused["after"]["action"], refused["after"]["by"]) == (
        "not_undoable",
        "enter_exam_room",
        "",
    )
    assert refused["after"]["at"].startswith("2026-03-02T09:00")
    assert undoable(centre) == {}


def test_a_payment_after_the_end_of_an_exam_keeps_it_ended(centre: Centre):
    waiting(centre, 1)
    act(centre, 1, "call_patient")
    act(centre, 1, "start_exam")
    pressed = new_id()
    act(centre, 1, "complete_exam", action_id=pressed)
    centre.walk(ONE, "make_payment")
    assert said(undo(centre.parts, pressed))["after"] | {"at": ""} == {
        "action": "make_payment",
        "by": "",
        "by_kind": "patient",
        "at": "",
    }


def test_an_undo_counts_once_and_its_repeat_gets_the_same_answer(centre: Centre):
    waiting(centre, 1)
    pressed, undone = new_id(), new_id()
    act(centre, 1, "call_patient", action_id=pressed)
    first = undo(centre.parts, pressed, action_id=undone)
    assert undo(centre.parts, pressed, action_id=undone).body == first.body
    again = said(undo(centre.parts, pressed, LEE))
    assert (again["code"], again["after"]["action"], again["after"]["by"]) == ("not_undoable", BuiltIn.UNDO, "Kim")
    assert said(undo(centre.parts, undone))["code"] == "not_found", "an undo is no press"


def test_what_nobody_pressed_and_what_a_patient_did_is_not_found(centre: Centre):
    done = new_id()
    centre.act(ONE, "scan_nfc", action_id=done)
    for wanted in (new_id(), done):
        assert said(undo(centre.parts, wanted))["code"] == "not_found"


def test_a_booking_that_was_cancelled_without_an_entry_is_booked_again(centre: Centre):
    pressed = new_id()
    was = picture(centre)
    assert act(centre, 1, "cancel_appointment", action_id=pressed, exam_id="xray").done
    assert undo(centre.parts, pressed).done
    assert picture(centre) == was


def test_a_number_that_staff_have_given_by_mistake_is_void(centre: Centre):
    centre.walk(ONE, "scan_nfc", "register")
    pressed = new_id()
    assert act(centre, 1, "confirm_arrival", action_id=pressed).done
    assert undo(centre.parts, pressed).done
    assert centre.rows("select state, queue_number from entries") == [{"state": "cancelled", "queue_number": "C-001"}]
    assert centre.state(ONE)["journey_state"] == "REGISTERED"
    assert centre.walk(ONE, "confirm_arrival")["queue_details"][0]["queue_number"] == "C-002"


def test_of_many_who_undo_one_press_at_once_one_does(centre: Centre):
    waiting(centre, 1)
    pressed, start = new_id(), Barrier(4)
    act(centre, 1, "call_patient", action_id=pressed)

    def press(_: int) -> int:
        start.wait()
        return undo(centre.parts, pressed).status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(press, range(4))) == [200, 409, 409, 409]


def test_a_press_of_a_day_that_has_ended_cannot_be_undone(centre: Centre):
    waiting(centre, 1)
    pressed = new_id()
    act(centre, 1, "call_patient", action_id=pressed)
    centre.clock.set("2026-03-03", "09:00")
    close_days(centre.parts, "2026-03-03")
    assert said(undo(centre.parts, pressed))["code"] == "not_undoable"


def test_a_change_by_the_hospital_since_then_forbids_it(centre: Centre):
    waiting(centre, 1)
    pressed = new_id()
    act(centre, 1, "call_patient", action_id=pressed)
    centre.take({"exams": [{"exam_id": "blood", "room": "11"}]})
    assert said(undo(centre.parts, pressed))["code"] == "not_undoable"


# The state that the screen shows.


def test_an_action_on_an_entry_that_is_not_as_the_screen_shows_it_does_nothing(centre: Centre):
    queue_id = waiting(centre, 1)
    assert act(centre, 1, "call_patient", LEE, room="2", queue_id=queue_id).done
    was, pressed = picture(centre), new_id()
    answer = act(centre, 1, "mark_no_show", action_id=pressed, queue_id=queue_id, seen_state="waiting")
    body = said(answer)
    assert (answer.status, body["code"], body["journey_state"]) == (409, "entry_changed", "CALLED")
    assert {key: body["entry"][key] for key in ("queue_id", "state", "room", "by")} == {
        "queue_id": queue_id,
        "state": "called",
        "room": "2",
        "by": "Lee",
    }
    assert picture(centre) == was
    again = act(centre, 1, "mark_no_show", action_id=pressed, queue_id=queue_id, seen_state="waiting")
    assert again.body == answer.body
    assert act(centre, 1, "mark_no_show", queue_id=queue_id, seen_state="called").done


def test_a_direct_change_looks_at_the_state_of_the_screen_too(centre: Centre):
    queue_id = waiting(centre, 1)
    refused = said(change(centre, queue_id, "delayed", seen_state="called"))
    assert (refused["code"], refused["entry"]["by_kind"]) == ("entry_changed", "patient")
    assert change(centre, queue_id, "delayed", seen_state="waiting").done


def test_the_app_of_a_patient_is_not_held_to_a_screen_of_staff(centre: Centre):
    waiting(centre, 1)
    assert act(centre, 1, "call_patient", KIM).done
    assert centre.act(ONE, "enter_exam_room", seen_state="waiting").done


def test_the_night_deletes_the_presses_of_the_day(centre: Centre):
    waiting(centre, 1)
    assert act(centre, 1, "call_patient").done
    assert len(centre.rows("select 1 from presses")) == 1
    with centre.store.write() as db:
        delete_old_presses(db, "2026-03-02")
        assert len(db.rows("select 1 from presses")) == 1
        delete_old_presses(db, "2026-03-03")
        assert db.rows("select 1 from presses") == []
