"""Priority, another line, one more call and a note, on the rows: what changes, who hears of it, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from sync.central.centre import Centre as Parts
from sync.central.maintenance.health import check
from sync.central.records.entry_marks import EntryMarks, marks_of
from sync.central.records.presses import undoable_presses
from sync.central.services.answers import Answer
from sync.central.services.change_place import call_again, give_priority, move
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.write_note import set_note
from sync.ids import new_id
from tests.sync.central.centre import DAY, Centre, patient
from tests.sync.central.feed.board import Receiver

from .pressing import KIM, LEE, act, call, said, undo, waiting

ONE = patient(1)
Press = Callable[[Parts, Requester, str, ActionRequest], Answer]


@pytest.fixture(autouse=True)
def well(centre: Centre) -> Iterator[None]:
    yield
    with centre.store.read() as db:
        assert check(db, centre.parts.definitions).ok


def press(
    centre: Centre, made: Press, action: str, queue_id: str, who: Requester = KIM, **payload: Any
) -> tuple[Answer, str]:
    """A press on an entry, and its action id."""
    action_id = payload.pop("action_id", None) or new_id()
    return made(centre.parts, who, queue_id, ActionRequest(action, action_id, payload)), action_id


def prioritise(centre: Centre, queue_id: str, kind: str, **more: Any) -> tuple[Answer, str]:
    return press(centre, give_priority, "set_priority", queue_id, kind=kind, **more)


def move_to(centre: Centre, queue_id: str, exam_id: str, **more: Any) -> tuple[Answer, str]:
    return press(centre, move, "move_entry", queue_id, exam_id=exam_id, **more)


def note(centre: Centre, queue_id: str, text: str, **more: Any) -> tuple[Answer, str]:
    return press(centre, set_note, "set_note", queue_id, text=text, **more)


def line(centre: Centre, exam_id: str = "blood") -> list[str]:
    rows = centre.rows(
        "select patient_id from entries where exam_id = :exam and state = 'waiting'"
        " order by priority desc, line_ms, queue_id",
        exam=exam_id,
    )
    return [row["patient_id"] for row in rows]


def marks(centre: Centre, queue_id: str) -> EntryMarks:
    with centre.store.read() as db:
        return marks_of(db, queue_id)


def picture(centre: Centre) -> dict[str, Any]:
    one = {"id": ONE}
    return {
        "journey": centre.rows("select state, current_queue_id from journeys where patient_id = :id", **one),
        "entries": centre.rows("select * from entries where patient_id = :id order by queue_id", **one),
        "bookings": centre.rows("select * from appointments where patient_id = :id order by appointment_id", **one),
        "marks": centre.rows("select priority_kind, priority_reason, note, note_by from entry_marks"),
    }


# Priority.


def test_an_emergency_goes_first_and_back_to_its_place_again(centre: Centre):
    waiting(centre, 1)
    second = waiting(centre, 2)
    answer, pressed = prioritise(centre, second, "emergency", reason="short of breath")
    assert answer.done
    assert line(centre) == [patient(2), patient(1)]
    assert (marks(centre, second).priority.kind, marks(centre, second).priority.reason) == (
        "emergency",
        "short of breath",
    )
    (row,) = centre.rows("select who, reason from entry_history order by change desc limit 1")
    assert row == {"who": KIM.who, "reason": "set_priority: emergency: short of breath"}
    assert undo(centre.parts, pressed, LEE).done
    assert line(centre) == [ONE, patient(2)]
    assert marks(centre, second) == EntryMarks()


def test_a_priority_is_taken_back_by_an_empty_kind(centre: Centre):
    first, second = waiting(centre, 1), waiting(centre, 2)
    assert prioritise(centre, second, "elderly")[0].done
    assert prioritise(centre, second, "", reason="a mistake")[0].done
    assert line(centre) == [ONE, patient(2)]
    assert marks(centre, second).priority.kind == ""
    assert call(centre.parts, first).done


def test_where_the_rules_want_a_reason_there_is_none_without_one(centre: Centre):
    first = waiting(centre, 1)
    for reason in ("", "  "):
        assert said(prioritise(centre, first, "emergency", reason=reason)[0])["code"] == "malformed"
    assert said(prioritise(centre, first, "vip")[0])["code"] == "unknown_priority"
    assert centre.rows("select 1 from entry_marks") == []


def test_the_people_ahead_and_the_wait_follow_the_priority(centre: Centre):
    waiting(centre, 1)
    second = waiting(centre, 2)
    assert prioritise(centre, second, "pregnant")[0].done
    (entry,) = centre.state(patient(2))["queue_details"]
    assert (entry["people_ahead"], entry["estimated_wait_time"]) == (0, 0)
    (entry,) = centre.state(ONE)["queue_details"]
    assert (entry["people_ahead"], entry["estimated_wait_time"]) == (1, 5)


# Another line.


def test_an_entry_moves_with_its_place_and_its_booking(centre: Centre):
    first = waiting(centre, 1)
    centre.walk(patient(2), "scan_nfc", "register", "confirm_arrival", "cancel_appointment")
    was = picture(centre)
    answer, pressed = move_to(centre, first, "sleep", reason="the room is full")
    assert answer.done
    (entry,) = said(answer)["queue_details"]
    assert (entry["exam_id"], entry["exam_name"], entry["room"], entry["queue_number"]) == (
        "sleep",
        "Ward",
        "9",
        "C-001",
    )
    assert {each["exam_id"]: each["status"] for each in said(answer)["appointments"]} == {
        "sleep": "waiting",
        "xray": "arrived",
    }
    row = centre.rows("select * from entries where queue_id = :id", id=first)[0]
    assert (row["moved_from"], row["moved_from_room"], row["line_ms"]) == ("Blood test", "1", row["opened_ms"])
    assert undo(centre.parts, pressed).done
    assert picture(centre) == was


def test_an_entry_goes_to_the_end_of_its_own_line(centre: Centre):
    first = waiting(centre, 1)
    waiting(centre, 2)
    assert move_to(centre, first, "blood", place="end")[0].done
    assert line(centre) == [patient(2), ONE]
    (row,) = centre.rows("select line_ms, opened_ms from entries where queue_id = :id", id=first)
    assert row["line_ms"] > row["opened_ms"]


def test_a_new_booked_time_leaves_the_end_of_a_line_of_arrivals_to_the_patient_there(centre: Centre):
    first = waiting(centre, 1)
    waiting(centre, 2)
    assert move_to(centre, first, "blood", place="end")[0].done
    booking = {"appointment_id": f"{DAY}-{ONE}-blood", "patient_id": ONE, "exam_id": "blood"}
    centre.take({"appointments": [booking | {"scheduled_at": f"{DAY}T09:45"}]})
    assert line(centre) == [patient(2), ONE]


def test_a_called_patient_who_is_moved_waits_again(centre: Centre):
    first = waiting(centre, 1)
    act(centre, 1, "call_patient", room="7")
    answer, pressed = move_to(centre, first, "sleep")
    assert said(answer)["journey_state"] == "WAITING"
    assert undo(centre.parts, pressed).done
    assert centre.state(ONE)["journey_state"] == "CALLED"
    assert centre.state(ONE)["queue_details"][0]["room"] == "7"


def test_a_patient_is_not_moved_into_a_line_twice_nor_to_an_exam_of_nobody(centre: Centre):
    first = waiting(centre, 1)
    act(centre, 1, "call_patient")
    act(centre, 1, "start_exam")
    act(centre, 1, "complete_exam")
    (second,) = (
        each["queue_id"] for each in centre.walk(ONE, "confirm_arrival")["queue_details"] if each["queue_id"] != first
    )
    third, _ = prioritise(centre, second, "elderly")
    assert third.done
    assert said(move_to(centre, second, "nothing")[0])["code"] == "not_found"
    assert said(move_to(centre, second, "xray")[0])["code"] == "not_allowed"
    assert move_to(centre, second, "blood")[0].done, "the entry there has ended"


def test_the_document_of_the_night_leaves_a_moved_booking_where_it_is(centre: Centre):
    first = waiting(centre, 1)
    assert move_to(centre, first, "sleep")[0].done
    booking = {"appointment_id": f"{DAY}-{ONE}-blood", "patient_id": ONE, "exam_id": "blood"}
    centre.take({"appointments": [booking | {"scheduled_at": f"{DAY}T09:30"}]})
    assert centre.state(ONE)["queue_details"][0]["exam_id"] == "sleep"
    centre.take({"appointments": [booking | {"scheduled_at": f"{DAY}T09:45"}]})
    assert centre.state(ONE)["queue_details"][0]["exam_id"] == "sleep", "a new time is not another exam"
    centre.take({"appointments": [booking | {"exam_id": "desk"}]})
    assert centre.state(ONE)["queue_details"][0]["exam_id"] == "desk"
    (row,) = centre.rows("select said_exam_id from appointments where appointment_id = :id", id=f"{DAY}-{ONE}-blood")
    assert row["said_exam_id"] is None


def test_an_undone_move_leaves_a_booking_that_the_hospital_has_moved_since(centre: Centre):
    first = waiting(centre, 1)
    act(centre, 1, "call_patient")
    _, pressed = move_to(centre, first, "sleep")
    assert act(centre, 1, "call_patient").done
    assert said(undo(centre.parts, pressed))["code"] == "not_undoable"


# One more call.


def test_a_second_call_is_heard_and_changes_nothing(centre: Centre):
    first, pressed = waiting(centre, 1), new_id()
    assert said(press(centre, call_again, "call_again", first)[0])["code"] == "not_allowed"
    assert call(centre.parts, first, action_id=pressed).done
    was = picture(centre)
    heard: list[object] = []
    with centre.store.news.listen(ONE, heard.append):
        assert press(centre, call_again, "call_again", first, LEE)[0].done
    assert [(each.patient_id, each.action) for each in heard] == [(ONE, "call_again")]  # type: ignore[attr-defined]
    assert picture(centre) == was
    (row,) = centre.rows("select who, reason, previous, new from entry_history order by change desc limit 1")
    assert row == {"who": LEE.who, "reason": "call_again", "previous": "called", "new": "called"}
    assert undo(centre.parts, pressed).done, "the call itself can still be undone"


# The note.


def test_a_note_is_written_changed_and_put_back(centre: Centre):
    first = waiting(centre, 1)
    assert note(centre, first, " wheelchair ")[0].done
    _, changed = note(centre, first, "wheelchair, hard of hearing", who=LEE)
    now = marks(centre, first).note
    assert (now.text, now.by, now.at_ms) == ("wheelchair, hard of hearing", LEE.who, centre.clock())
    with centre.store.read() as db:
        assert undoable_presses(db, [ONE])[first].action_id == changed
    assert undo(centre.parts, changed).done
    assert (marks(centre, first).note.text, marks(centre, first).note.by) == ("wheelchair", KIM.who)
    assert said(undo(centre.parts, changed))["code"] == "not_undoable"


def test_a_note_does_not_forbid_the_undo_of_a_call_nor_a_call_that_of_a_note(centre: Centre):
    first, called = waiting(centre, 1), new_id()
    assert call(centre.parts, first, action_id=called).done
    _, noted = note(centre, first, "wheelchair")
    assert undo(centre.parts, called).done
    assert undo(centre.parts, noted).done
    assert marks(centre, first).note.text == ""


def test_an_older_note_that_was_overwritten_cannot_be_undone(centre: Centre):
    first = waiting(centre, 1)
    _, older = note(centre, first, "one")
    note(centre, first, "two")
    assert said(undo(centre.parts, older))["code"] == "not_undoable"


SECRET = "Zebrafink"


def test_no_answer_no_event_and_no_history_has_the_note_or_the_kind(centre: Centre):
    first = waiting(centre, 1)
    before = len(Receiver(500).read(centre.parts).told)
    answers = [
        note(centre, first, SECRET)[0],
        prioritise(centre, first, "emergency", reason=SECRET)[0],
        prioritise(centre, first, "")[0],
    ]
    assert all(each.done for each in answers)
    events = Receiver(500).read(centre.parts).told
    assert len(events) == before
    told = [each.body for each in answers] + [msgspec.json.encode(events), msgspec.json.encode(centre.state(ONE))]
    assert not any(SECRET.encode() in each or b"emergency" in each for each in told)
    assert not any(SECRET in str(row) for row in centre.rows("select * from transitions"))
    assert not any(SECRET in str(row) for row in centre.rows("select * from actions"))
    assert not any(SECRET in str(row) for row in centre.rows("select * from audit"))


def test_an_entry_of_nobody_and_one_of_an_earlier_day_take_none_of_it(centre: Centre):
    first = waiting(centre, 1)
    for made in (
        note(centre, new_id(), "x"),
        move_to(centre, new_id(), "xray"),
        prioritise(centre, new_id(), "elderly"),
    ):
        assert said(made[0])["code"] == "not_found"
    centre.clock.set("2026-03-03", "09:00")
    for made in (note(centre, first, "x"), move_to(centre, first, "xray"), prioritise(centre, first, "elderly")):
        assert said(made[0])["code"] == "no_such_entry"


def test_each_of_them_looks_at_the_state_of_the_screen(centre: Centre):
    first = waiting(centre, 1)
    for made in (
        move_to(centre, first, "xray", seen_state="called"),
        prioritise(centre, first, "elderly", seen_state="called"),
    ):
        assert said(made[0])["code"] == "entry_changed"
