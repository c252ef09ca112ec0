"""Actions on journeys: the complete visit of a patient, and each action once for its id, over any channel."""

import json
import threading

import pytest

from sync.central.services.change_entry import change_entry
from sync.central.services.current_state import read_current_state
from sync.central.services.errors import UNKNOWN_PATIENT
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest, read_action_request
from sync.ids import new_id
from sync.journey.model import PATIENT, STAFF
from tests.sync.central.centre import DAY, Centre, card, patient

NURSE = Requester(STAFF, "staff:1", "rest")
ANNA, BEN, WALK_IN = patient(1), patient(2), patient(5)
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")
THROUGH_EXAM = ("call_patient", "start_exam", "complete_exam")


def body(answer):
    return json.loads(answer.body)


def test_a_patient_goes_the_whole_way_and_every_step_is_on_record(centre: Centre):
    centre.walk(ANNA, *TO_WAITING, "call_patient", "enter_exam_room", "complete_exam")
    centre.walk(ANNA, "confirm_arrival", *THROUGH_EXAM, "make_payment", "make_payment", "leave_hospital")
    rows = centre.rows("select * from transitions order by change, position")
    assert [row["to_state"] for row in rows] == [
        *("ARRIVED", "REGISTERED", "WAITING", "CALLED", "IN_PROGRESS", "COMPLETED"),
        *("WAITING", "CALLED", "IN_PROGRESS", "COMPLETED", "PAYMENT", "FINISHED", "UNREGISTERED"),
    ]
    assert [row["trigger_type"] for row in rows[:4]] == ["nfc_tag", "patient_action", "patient_action", "staff_action"]
    assert len({row["visit_id"] for row in rows}) == 1
    assert [row["leg"] for row in rows] == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    (visit,) = centre.rows("select * from visits")
    assert (visit["ordinal"], visit["site_day"], visit["closed_ms"]) == (1, DAY, centre.clock())
    assert centre.rows("select previous, new, reason from entry_history order by change, position")[:3] == [
        {"previous": None, "new": "waiting", "reason": "confirm_arrival"},
        {"previous": "waiting", "new": "called", "reason": "call_patient"},
        {"previous": "called", "new": "in_progress", "reason": "enter_exam_room"},
    ]
    assert {row["status"] for row in centre.rows(f"select status from appointments where patient_id = '{ANNA}'")} == {
        "completed"
    }
    assert centre.do("check")["ok"]


def test_the_current_state_has_exactly_the_fields_that_front_ends_use(centre: Centre):
    state = centre.walk(ANNA, *TO_WAITING)
    fields = ["journey_state", "queue_details", "appointments", "available_actions", "timestamp", "journey_version"]
    assert list(state) == fields
    (entry,) = state["queue_details"]
    assert {**entry, "queue_id": ""} == {
        "queue_id": "",
        "exam_id": "blood",
        "exam_name": "Blood test",
        "state": "waiting",
        "queue_number": "C-001",
        "estimated_wait_time": 0,
        "room": "1",
        "people_ahead": 0,
    }
    with centre.store.write() as db:
        db.execute("update entries set label_aliases = '[\"B-007\"]'")
    assert centre.state(ANNA)["queue_details"] == [{**entry, "label_aliases": ("B-007",)}]
    assert state["appointments"][0] == {
        "appointment_id": f"{DAY}-{ANNA}-blood",
        "exam_id": "blood",
        "exam_name": "Blood test",
        "scheduled_at": f"{DAY}T09:30:00+09:00",
        "status": "waiting",
    }
    assert state["timestamp"] == f"{DAY}T09:00:00+09:00"
    assert centre.state(ANNA, STAFF)["available_actions"] == (
        "call_patient",
        "mark_no_show",
        "cancel_appointment",
    )


def test_who_comes_later_waits_for_those_before_and_nobody_waits_who_is_called(centre: Centre):
    for number in (1, 2, 3):
        centre.walk(patient(number), *TO_WAITING)
        centre.clock.now_ms += 1000

    def waits(number: int) -> tuple[int, int]:
        (entry,) = centre.state(patient(number))["queue_details"]
        return entry["people_ahead"], entry["estimated_wait_time"]

    assert [waits(number) for number in (1, 2, 3)] == [(0, 0), (1, 5), (2, 10)]
    centre.walk(patient(3), "call_patient")
    assert waits(3) == (0, 0)


def test_the_answer_to_an_arrival_counts_the_people_ahead_as_the_state_does(centre: Centre):
    for number in (1, 2, 3):
        answered = centre.walk(patient(number), *TO_WAITING)["queue_details"]
        assert answered == centre.state(patient(number))["queue_details"]
        assert answered[0]["people_ahead"] == number - 1
        centre.clock.now_ms += 1000


def test_a_called_patient_reads_the_room_of_the_call(centre: Centre):
    assert centre.walk(ANNA, *TO_WAITING)["queue_details"][0]["room"] == "1"
    assert centre.act(ANNA, "call_patient", STAFF, room="Blood draw 4").done
    (entry,) = centre.state(ANNA)["queue_details"]
    assert (entry["state"], entry["room"]) == ("called", "Blood draw 4")


def test_queue_numbers_are_given_once_without_gaps_and_start_anew_each_day(centre: Centre):
    centre.walk(ANNA, *TO_WAITING)
    assert not centre.act(ANNA, "confirm_arrival").done
    second = centre.walk(BEN, *TO_WAITING)["queue_details"][0]["queue_number"]
    centre.clock.set("2026-03-03", "09:00")
    assert (second, centre.walk(WALK_IN, *TO_WAITING)["queue_details"][0]["queue_number"]) == ("C-002", "C-001")


def test_who_has_no_booking_waits_at_the_desk(centre: Centre):
    (entry,) = centre.walk(WALK_IN, *TO_WAITING)["queue_details"]
    assert (entry["exam_id"], entry["exam_name"]) == ("desk", "Reception")


def test_a_repeat_gets_the_stored_answer_and_changes_nothing(centre: Centre):
    action_id = new_id()
    first = centre.act(ANNA, "scan_nfc", action_id=action_id)
    centre.walk(ANNA, "register")
    centre.clock.now_ms += 60_000
    again = centre.act(ANNA, "scan_nfc", action_id=action_id)
    assert again == first
    assert centre.state(ANNA)["journey_state"] == "REGISTERED"


def test_a_refused_action_stays_refused_though_it_would_be_allowed_by_now(centre: Centre):
    action_id = new_id()
    refused = centre.act(ANNA, "register", action_id=action_id)
    assert (refused.status, body(refused)["code"], body(refused)["available_actions"]) == (
        400,
        "not_allowed",
        ["scan_nfc"],
    )
    centre.walk(ANNA, "scan_nfc")
    assert centre.act(ANNA, "register", action_id=action_id) == refused
    assert centre.state(ANNA)["journey_state"] == "ARRIVED"


@pytest.mark.parametrize(
    ("who", "action_type", "actor", "payload"),
    [
        (ANNA, "register", PATIENT, {}),
        (ANNA, "scan_nfc", PATIENT, {"answers": {"fever": "no"}}),
        (ANNA, "scan_nfc", STAFF, {}),
        (BEN, "scan_nfc", PATIENT, {}),
    ],
)
def test_an_action_id_that_stands_for_another_request_is_refused(centre: Centre, who, action_type, actor, payload):
    action_id = new_id()
    assert centre.act(ANNA, "scan_nfc", action_id=action_id).done
    answer = centre.act(who, action_type, actor, action_id, **payload)
    assert (answer.status, body(answer)["code"]) == (409, "action_id_reused")
    assert body(answer)["journey_state"] == centre.state(who)["journey_state"]
    assert len(centre.rows("select 1 from transitions")) == 1


def test_two_presses_of_pay_with_one_id_pay_once(centre: Centre):
    centre.walk(ANNA, *TO_WAITING, *THROUGH_EXAM)
    action_id = new_id()
    for _ in range(2):
        assert body(centre.act(ANNA, "make_payment", action_id=action_id))["journey_state"] == "PAYMENT"


@pytest.mark.parametrize(
    ("action_type", "code", "status"), [("fly", "unknown_action", 400), ("call_patient", "forbidden", 403)]
)
def test_what_can_never_be_asked_for_leaves_no_trace(centre: Centre, action_type, code, status):
    answer = centre.act(ANNA, action_type)
    assert (answer.status, body(answer)["code"], body(answer)["journey_state"]) == (status, code, "UNREGISTERED")
    assert centre.rows("select 1 from actions") == []


def test_an_unknown_patient_is_said_to_be_unknown(centre: Centre):
    assert read_current_state(centre.parts, STAFF, "nobody") == UNKNOWN_PATIENT
    answer = centre.act("nobody", "scan_nfc")
    assert (answer.status, body(answer)) == (
        404,
        {
            "error": "There is no such patient.",
            "code": "unknown_patient",
            "journey_state": None,
            "available_actions": [],
        },
    )


def test_an_older_id_of_a_patient_means_the_patient(centre: Centre):
    with centre.store.write() as db:
        db.execute("insert into patient_aliases values ('old', :anna, 0, 0)", {"anna": ANNA})
    assert centre.act("old", "scan_nfc").done
    assert centre.state("old")["journey_state"] == centre.state(ANNA)["journey_state"] == "ARRIVED"


def test_an_action_can_name_the_entry_it_means_and_the_room(centre: Centre):
    centre.walk(ANNA, *TO_WAITING)
    queue_id = centre.state(ANNA)["queue_details"][0]["queue_id"]
    assert body(centre.act(ANNA, "call_patient", STAFF, queue_id=new_id()))["code"] == "no_such_entry"
    assert centre.act(ANNA, "call_patient", STAFF, exam_id="blood", room="7").done
    assert centre.rows("select state, room, queue_id from entries") == [
        {"state": "called", "room": "7", "queue_id": queue_id}
    ]


def test_a_booking_can_be_cancelled_before_its_patient_comes(centre: Centre):
    assert centre.act(ANNA, "cancel_appointment", STAFF, exam_id="blood").done
    assert [each["status"] for each in centre.state(ANNA)["appointments"]] == ["cancelled", "booked"]


def test_a_direct_change_of_an_entry_moves_the_journey_and_says_why(centre: Centre):
    centre.walk(ANNA, *TO_WAITING)
    queue_id = centre.state(ANNA)["queue_details"][0]["queue_id"]
    ask = ActionRequest("change_entry", new_id(), {"state": "in_progress", "reason": "was called by name"})
    answer = change_entry(centre.parts, NURSE, queue_id, ask)
    assert body(answer)["journey_state"] == "IN_PROGRESS"
    assert change_entry(centre.parts, NURSE, queue_id, ask) == answer
    (row,) = centre.rows("select reason, who from entry_history where new = 'in_progress'")
    assert row == {"reason": "was called by name", "who": "staff:1"}
    (moved,) = centre.rows("select trigger_type, action from transitions where to_state = 'IN_PROGRESS'")
    assert moved == {"trigger_type": "queue_sync", "action": "queue_sync"}
    assert centre.do("check")["ok"]


def test_a_direct_change_without_a_reason_or_of_nothing(centre: Centre):
    centre.walk(ANNA, *TO_WAITING)
    queue_id = centre.state(ANNA)["queue_details"][0]["queue_id"]
    assert change_entry(centre.parts, NURSE, queue_id, entry_change("delayed")).done
    assert centre.rows("select reason from entry_history where new = 'delayed'") == [{"reason": "change_entry"}]
    wrong = change_entry(centre.parts, NURSE, queue_id, entry_change("cancelled?", "x"))
    assert (wrong.status, body(wrong)["code"]) == (400, "not_allowed")
    nothing = change_entry(centre.parts, NURSE, new_id(), entry_change("delayed"))
    assert (nothing.status, body(nothing)["code"]) == (404, "not_found")


def test_many_threads_with_one_action_id_act_once_and_hear_the_same(centre: Centre):
    action_id, answers = new_id(), []
    together(12, lambda _: answers.append(centre.act(ANNA, "scan_nfc", action_id=action_id)))
    assert {answer.body for answer in answers} == {answers[0].body}
    assert len(answers) == 12
    assert len(centre.rows("select 1 from transitions")) == 1


def test_many_threads_with_different_action_ids_make_one_step(centre: Centre):
    answers = []
    together(12, lambda _: answers.append(centre.act(ANNA, "scan_nfc")))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 11
    assert centre.rows("select journey_version from journeys where patient_id = :id", id=ANNA) == [
        {"journey_version": 1}
    ]


def test_threads_for_many_patients_give_every_number_once(centre: Centre):
    numbers = []

    def arrive(number: int) -> None:
        numbers.append(centre.walk(patient(number + 1), *TO_WAITING)["queue_details"][0]["queue_number"])

    together(16, arrive)
    assert sorted(numbers) == [f"C-{number:03d}" for number in range(1, 17)]
    changes = [row["change"] for row in centre.rows("select change from transitions order by change")]
    assert len(set(changes)) == len(changes)


def test_a_card_beside_a_name_is_evidence(centre: Centre):
    assert tap(centre, PATIENT, ANNA, "04deadbeef").done
    other = tap(centre, PATIENT, BEN, card(1))
    assert (other.status, body(other)["code"], body(other)["journey_state"]) == (403, "card_of_another", "UNREGISTERED")
    assert tap(centre, PATIENT, BEN, card(2)).done


def test_a_card_alone_says_who_is_meant(centre: Centre):
    assert tap(centre, STAFF, None, card(2)).done
    assert centre.state(BEN)["journey_state"] == "ARRIVED"
    nobody = tap(centre, STAFF, None, "04deadbeef")
    assert (nobody.status, body(nobody)["code"]) == (404, "unknown_patient")


def entry_change(state: str, reason: str = "") -> ActionRequest:
    return ActionRequest("change_entry", new_id(), {"state": state, "reason": reason})


def tap(centre: Centre, actor, patient_id, uid: str):
    ask = read_action_request({"action_type": "scan_nfc", "payload": {"tag_id": uid}}, centre.parts.keys, new_id)
    return perform(centre.parts, Requester(actor, actor.role, "rest"), patient_id, ask)


def together(count: int, work) -> None:
    """Runs `work` in many threads that start at one moment."""
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
