"""Presses of staff at a centre, as the board makes them."""

from __future__ import annotations

from typing import Any

import msgspec

from sync.central.centre import Centre as Parts
from sync.central.services.answers import Answer
from sync.central.services.call_next import call_next
from sync.central.services.change_entry import change_entry
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.undo_press import undo_press
from sync.ids import new_id
from sync.journey.model import STAFF
from tests.sync.central.centre import Centre, patient

KIM = Requester(STAFF, "staff:Kim", "rest")
LEE = Requester(STAFF, "staff:Lee (0123456789ab)", "rest")
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")


def waiting(centre: Centre, number: int) -> str:
    """A patient in the line of their first exam; the entry."""
    (entry,) = centre.walk(patient(number), *TO_WAITING)["queue_details"]
    centre.clock.now_ms += 1000
    return str(entry["queue_id"])


def said(answer: Answer) -> dict[str, Any]:
    """The body of an answer."""
    return dict(msgspec.json.decode(answer.body))


def act(
    centre: Centre, number: int, action: str, who: Requester = KIM, action_id: str | None = None, **payload: object
) -> Answer:
    """An action of staff on a patient."""
    return perform(centre.parts, who, patient(number), ActionRequest(action, action_id or new_id(), payload))


def change(centre: Centre, queue_id: str, state: str, who: Requester = KIM, **more: object) -> Answer:
    """A direct change of an entry."""
    action_id = str(more.pop("action_id", "") or new_id())
    request = ActionRequest("change_entry", action_id, {"queue_id": queue_id, "state": state, **more})
    return change_entry(centre.parts, who, queue_id, request)


def call(
    parts: Parts,
    queue_id: str,
    exam_id: str = "blood",
    who: Requester = KIM,
    action_id: str | None = None,
    room: str = "7",
) -> Answer:
    """The press on "call next" of a room."""
    payload = {"exam_id": exam_id, "queue_id": queue_id, "room": room}
    return call_next(parts, who, ActionRequest("call_next", action_id or new_id(), payload))


def undo(parts: Parts, undoes: str, who: Requester = KIM, action_id: str | None = None) -> Answer:
    """The press on "undo"."""
    return undo_press(parts, who, ActionRequest("undo_press", action_id or new_id(), {"undoes": undoes}))
