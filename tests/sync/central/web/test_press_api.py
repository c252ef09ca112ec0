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
    "no id to undo": ("undo", {"undoes": "yesterday"}),
    "an action id that is none": ("undo", {"undoes": new_id(), "action_id": "x"}),
}


REFUSED = ("malformed", "invalid_action_id", "invalid_payload")


@pytest.mark.parametrize("name", WRONG)
def test_a_press_of_another_form_is_refused(online: Online, name: str):
    path, body = WRONG[name]
    answer = press(online, path, **body)
    assert (answer.status_code, answer.json()["code"] in REFUSED) == (400, True)


@pytest.mark.parametrize("path", ["call-next", "undo"])
def test_no_other_role_presses(online: Online, path: str):
    body = {"exam_id": DESK, "queue_id": "q", "undoes": new_id()}
    for token in (online.own_token(online.newcomer()), online.centre.token(Role.METRICS)):
        assert press(online, path, token, **body).status_code == 403
    assert online.call("POST", f"{QUEUE}/{path}/", json=body).status_code == 401
