"""The presses of a board over HTTP: what they take, what they tell, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.online import API, Online

QUEUE = f"{API}/queue"
DESK = "desk"


def press(online: Online, path: str, token: str | None = None, **body: Any) -> requests.Response:
    return online.call("POST", f"{QUEUE}/{path}/", token or online.staff, json={"action_id": new_id(), **body})


def waiting(online: Online) -> tuple[str, str]:
    """A patient without a booking who waits at the desk, and the entry."""
    one = online.newcomer(booked=False)
    for action in ("scan_nfc", "register", "confirm_arrival"):
        (*_, answer) = [online.act(online.staff, action, patient_id=one)]
        assert answer.ok
    return one, answer.json()["queue_details"][0]["queue_id"]


def test_a_call_an_undo_and_another_call(online: Online):
    _, entry = waiting(online)
    called = new_id()
    answer = press(online, "call-next", exam_id=DESK, queue_id=entry, room="3", action_id=called)
    assert (answer.status_code, answer.json()["journey_state"]) == (200, "CALLED")
    assert answer.json()["queue_details"][0]["room"] == "3"
    moved = press(online, "call-next", exam_id=DESK, queue_id=entry)
    assert (moved.status_code, moved.json()["code"], moved.json()["entry"]["room"]) == (409, "line_moved", "3")
    assert moved.json()["next"] is None
    undone = press(online, "undo", undoes=called.upper())
    assert (undone.status_code, undone.json()["journey_state"]) == (200, "WAITING")
    again = press(online, "undo", undoes=called)
    assert (again.status_code, again.json()["code"]) == (409, "not_undoable")
    assert again.json()["after"]["action"] == "undo_press"
    assert press(online, "call-next", exam_id=DESK, queue_id=entry).ok


def test_priority_move_note_and_one_more_call_go_by_the_path(online: Online):
    one, entry = waiting(online)
    assert press(online, f"{entry}/priority", kind="emergency", reason="fever").json()["journey_state"] == "WAITING"
    assert press(online, f"{entry}/note", text="sits\nin the hall").ok
    moved = press(online, f"{entry}/move", exam_id="sleep", place="end", seen_state="waiting").json()
    assert moved["queue_details"][0]["exam_name"] == "Ward"
    assert press(online, "call-next", exam_id="sleep", queue_id=entry).ok
    with online.socket(online.own_token(one)) as socket:
        assert socket.next()["type"] == "initial_state"
        assert press(online, f"{entry}/call-again", seen_state="called").ok
        assert socket.until("state_update")["payload"]["action"] == "call_again"
    rows = online.centre.rows("select note, priority_reason from entry_marks where queue_id = :id", id=entry)
    assert rows == [{"note": "sits\nin the hall", "priority_reason": "fever"}]


def test_a_patient_is_not_put_into_a_line_twice(online: Online):
    one, entry = waiting(online)
    for state in ("called", "in_progress", "completed"):
        body = {"state": state, "action_id": new_id()}
        assert online.call("PATCH", f"{QUEUE}/{entry}/", online.staff, json=body).ok
    again = online.act(online.staff, "confirm_arrival", patient_id=one).json()["queue_details"][0]["queue_id"]
    back = {"state": "waiting", "reason": "x", "action_id": new_id()}
    assert online.call("PATCH", f"{QUEUE}/{entry}/", online.staff, json=back).status_code == 400, "it has ended"
    refused = press(online, f"{again}/move", exam_id=DESK)
    assert (refused.status_code, refused.json()["code"]) == (400, "not_allowed")


def test_the_kinds_of_priority_are_told_with_the_definitions(online: Online):
    told = online.call("GET", f"{API}/state-definitions/").json()["priorities"]
    assert told == {"emergency": True, "elderly": False, "pregnant": False, "staff": True}
    assert list(told) == ["emergency", "elderly", "pregnant", "staff"]


def test_a_stale_press_over_the_socket_is_told_what_is_so(online: Online):
    one, entry = waiting(online)
    assert online.act(online.staff, "call_patient", patient_id=one, queue_id=entry, room="4").ok
    with online.socket(online.staff) as socket:
        payload = {"patient_id": one, "queue_id": entry, "seen_state": "waiting"}
        socket.ask("perform_action", action_type="mark_no_show", action_id=new_id(), payload=payload)
        result = socket.until("action_result")
    assert (result["success"], result["code"], result["entry"]["room"]) == (False, "entry_changed", "4")
    assert result["payload"]["journey_state"] == "CALLED"


def test_a_direct_change_is_held_to_the_screen(online: Online):
    _, entry = waiting(online)
    body = {"state": "delayed", "seen_state": "called", "action_id": new_id()}
    refused = online.call("PATCH", f"{QUEUE}/{entry}/", online.staff, json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "entry_changed")


WRONG = {
    "no entry": ("call-next", {"exam_id": DESK}),
    "no exam": ("call-next", {"queue_id": "q"}),
    "an entry that is a number": ("call-next", {"exam_id": DESK, "queue_id": 7}),
    "a room that is too long": ("call-next", {"exam_id": DESK, "queue_id": "q", "room": "x" * 129}),
    "a room with a line break": ("call-next", {"exam_id": DESK, "queue_id": "q", "room": "a\nb"}),
    "an empty exam": ("call-next", {"exam_id": "", "queue_id": "q"}),
    "nothing to undo": ("undo", {}),
    "no exam to move to": ("q/move", {}),
    "a place in the middle": ("q/move", {"exam_id": DESK, "place": "middle"}),
    "a long reason to move": ("q/move", {"exam_id": DESK, "reason": "x" * 501}),
    "no kind": ("q/priority", {}),
    "a kind that is a list": ("q/priority", {"kind": ["elderly"]}),
    "a long reason to go first": ("q/priority", {"kind": "elderly", "reason": "x" * 501}),
    "no text": ("q/note", {}),
    "a long text": ("q/note", {"text": "x" * 301}),
    "a text that is a number": ("q/note", {"text": 7}),
    "a state that is too long": ("q/call-again", {"seen_state": "x" * 129}),
    "no id to undo": ("undo", {"undoes": "yesterday"}),
    "an action id that is none": ("undo", {"undoes": new_id(), "action_id": "x"}),
}


REFUSED = ("malformed", "invalid_action_id", "invalid_payload")


@pytest.mark.parametrize("name", WRONG)
def test_a_press_of_another_form_is_refused(online: Online, name: str):
    path, body = WRONG[name]
    answer = press(online, path, **body)
    assert (answer.status_code, answer.json()["code"] in REFUSED) == (400, True)


@pytest.mark.parametrize("path", ["call-next", "undo", "q/move", "q/priority", "q/note", "q/call-again"])
def test_no_other_role_presses(online: Online, path: str):
    body = {"exam_id": DESK, "queue_id": "q", "undoes": new_id(), "kind": "elderly", "text": "x"}
    for token in (online.own_token(online.newcomer()), online.centre.token(Role.METRICS)):
        assert press(online, path, token, **body).status_code == 403
    assert online.call("POST", f"{QUEUE}/{path}/", json=body).status_code == 401
