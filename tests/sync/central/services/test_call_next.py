"""The call of the next patient: one patient for each press, and a clear word to the room that comes second."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from sync.central.services.answers import Answer
from sync.central.services.requester import Requester
from sync.ids import new_id
from sync.journey.model import STAFF
from tests.sync.central.centre import Centre, patient

from .pressing import LEE, act, call, change, said, undo, waiting

ROOMS = 6


def entry_states(centre: Centre) -> dict[str, tuple[str, str]]:
    return {row["queue_id"]: (row["state"], row["room"]) for row in centre.rows("select * from entries")}


def test_the_first_of_the_line_is_called_into_the_room(centre: Centre):
    first, second = waiting(centre, 1), waiting(centre, 2)
    answer = call(centre.parts, first)
    assert answer.done
    assert (said(answer)["journey_state"], answer.patients) == ("CALLED", (patient(1),))
    assert entry_states(centre) == {first: ("called", "7"), second: ("waiting", "1")}
    (row,) = centre.rows("select action, trigger_type from transitions where to_state = 'CALLED'")
    assert row == {"action": "call_patient", "trigger_type": "staff_action"}


def test_the_second_room_hears_who_called_where_and_who_is_first_now(centre: Centre):
    first, second = waiting(centre, 1), waiting(centre, 2)
    assert call(centre.parts, first, who=LEE, room="2").done
    answer = call(centre.parts, first, room="5")
    body = said(answer)
    assert (answer.status, body["code"], body["journey_state"]) == (409, "line_moved", "CALLED")
    assert body["entry"] | {"at": ""} == {
        "queue_id": first,
        "patient_id": patient(1),
        "exam_id": "blood",
        "queue_number": "C-001",
        "state": "called",
        "room": "2",
        "by": "Lee",
        "by_kind": "staff",
        "at": "",
    }
    assert body["entry"]["at"].startswith("2026-03-02T09:00:02")
    assert (body["next"]["queue_id"], body["next"]["queue_number"]) == (second, "C-002")
    assert answer.patients == (patient(1), patient(1), patient(2))
    assert entry_states(centre)[first] == ("called", "2")
    assert call(centre.parts, second, room="5").done


def test_a_refused_press_that_is_sent_again_calls_nobody(centre: Centre):
    first, second = waiting(centre, 1), waiting(centre, 2)
    called, pressed = new_id(), new_id()
    assert call(centre.parts, first, action_id=called).done
    refused = call(centre.parts, first, action_id=pressed)
    assert undo(centre.parts, called).done, "now the entry is the first again"
    again = call(centre.parts, first, action_id=pressed)
    assert (again.status, again.body) == (409, refused.body)
    assert set(again.patients) == {patient(1), patient(2)}
    assert {state for state, _ in entry_states(centre).values()} == {"waiting"}
    assert second


def test_an_accepted_press_that_is_sent_again_calls_nobody_else(centre: Centre):
    first, pressed = waiting(centre, 1), new_id()
    waiting(centre, 2)
    assert call(centre.parts, first, action_id=pressed).body == call(centre.parts, first, action_id=pressed).body
    assert [state for state, _ in entry_states(centre).values()].count("called") == 1


def test_a_patient_who_is_put_off_is_passed_over(centre: Centre):
    first, second = waiting(centre, 1), waiting(centre, 2)
    assert change(centre, first, "delayed").done
    assert said(call(centre.parts, first))["next"]["queue_id"] == second
    assert call(centre.parts, second).done
    body = said(call(centre.parts, first))
    assert (body["entry"]["state"], body["next"]) == ("delayed", None)
    assert act(centre, 1, "call_patient", queue_id=first).done, "and can be called by the number"


def test_the_entry_of_another_exam_is_not_the_first_of_this_one(centre: Centre):
    first = waiting(centre, 1)
    body = said(call(centre.parts, first, exam_id="xray"))
    assert (body["code"], body["entry"]["exam_id"], body["next"]) == ("line_moved", "blood", None)


def test_an_entry_of_nobody_is_not_found(centre: Centre):
    assert said(call(centre.parts, new_id()))["code"] == "not_found"


def test_the_first_is_decided_by_priority_before_arrival(centre: Centre):
    first, second = waiting(centre, 1), waiting(centre, 2)
    with centre.store.write() as db:
        db.execute("update entries set priority = 3 where queue_id = :id", {"id": second})
    assert said(call(centre.parts, first))["next"]["queue_id"] == second
    assert call(centre.parts, second).done


def test_rooms_that_press_at_once_call_one_patient_and_then_each_one_of_their_own(centre: Centre):
    line = [waiting(centre, number) for number in (1, 2, 3, 4, 6, 7, 8)]
    with ThreadPoolExecutor(ROOMS) as pool:
        statuses = [answer.status for answer in at_once(pool, centre, [line[0]] * ROOMS)]
        assert sorted(statuses) == [200] + [409] * (ROOMS - 1)
        left = ROOMS - 1
        while left:  # each room that was refused presses on the one whom its screen shows now
            first = next(each for each in line if entry_states(centre)[each][0] == "waiting")
            statuses = [answer.status for answer in at_once(pool, centre, [first] * left)]
            assert sorted(statuses) == [200] + [409] * (left - 1)
            left -= 1
    called = [state for state, _ in entry_states(centre).values()].count("called")
    rooms = {room for state, room in entry_states(centre).values() if state == "called"}
    assert (called, len(rooms)) == (ROOMS, ROOMS)


@pytest.mark.parametrize("rooms", [2, ROOMS])
def test_rooms_that_press_again_and_again_with_the_answer_they_got_have_a_patient_each(centre: Centre, rooms: int):
    line = [waiting(centre, number) for number in (1, 2, 3, 4, 6, 7, 8)]
    start = Barrier(rooms)

    def room(number: int) -> str:
        start.wait()
        wanted, name = line[0], f"room {number}"
        who = Requester(STAFF, f"staff:{name}", "rest")
        while not (answer := call(centre.parts, wanted, who=who, room=name)).done:
            wanted = said(answer)["next"]["queue_id"]
        return wanted

    with ThreadPoolExecutor(rooms) as pool:
        called = list(pool.map(room, range(rooms)))
    assert sorted(called) == sorted(line[:rooms])


def at_once(pool: ThreadPoolExecutor, centre: Centre, wanted: Sequence[str]) -> list[Answer]:
    start, free = Barrier(len(wanted)), free_rooms(centre)

    def press(number: int) -> Answer:
        start.wait()
        return call(centre.parts, wanted[number], room=free[number])

    return list(pool.map(press, range(len(wanted))))


def free_rooms(centre: Centre) -> list[str]:
    """The rooms that have called nobody yet."""
    taken = {room for state, room in entry_states(centre).values() if state == "called"}
    return [each for each in (f"room {number}" for number in range(ROOMS)) if each not in taken]


def test_a_call_that_another_system_decides_is_refused_and_an_older_one_stays_as_it_is(centre: Centre):
    first, pressed = waiting(centre, 1), new_id()
    answer = call(centre.parts, first, action_id=pressed)
    waits = waiting(centre, 2)
    centre.do("site", decides=["call_patient=legacy"])
    assert call(centre.parts, first, action_id=pressed).body == answer.body
    refused = said(call(centre.parts, waits))
    assert (refused["code"], refused["journey_state"]) == ("decided_elsewhere", "WAITING")
    assert said(undo(centre.parts, pressed))["code"] == "decided_elsewhere"
