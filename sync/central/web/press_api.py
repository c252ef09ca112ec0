"""The presses of the board over REST: call the next patient, undo a press."""

from typing import Any, TypeVar

from flask import Blueprint, request
from msgspec.structs import asdict

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bodies import ActionBody, ActionId, Body, Name, read_members
from sync.central.services.call_next import call_next
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import ApiError
from sync.central.services.requests import INVALID_ACTION_ID, ActionRequest
from sync.central.services.undo_press import undo_press
from sync.central.web.contract import BY_THE_RULES, OF_AN_ACTION
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import BuiltIn, Role

T = TypeVar("T", bound=ActionBody)
_OF_A_PRESS = ("not_found", *OF_AN_ACTION)


class CallNext(ActionBody, frozen=True, kw_only=True):
    """The entry that the screen shows as the first in the line of an exam, and the room that calls it."""

    exam_id: Name
    queue_id: Name
    room: Name | None = None


class Undo(ActionBody, frozen=True, kw_only=True):
    """The `action_id` of the press to undo."""

    undoes: ActionId


def press_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes of presses under /api/v1/queue/, which a staff token opens."""
    api = Blueprint("presses", __name__, url_prefix="/api/v1/queue")

    @api.post("/call-next/")
    @endpoints.endpoint(
        "Call the first patient in the line of an exam",
        CurrentState,
        Role.STAFF,
        body=endpoints.action(BuiltIn.CALL_NEXT, _body(CallNext)),
        refuses=(*_OF_A_PRESS, "line_moved", "decided_elsewhere", *BY_THE_RULES),
    )
    def call_the_next(sender: Bearer, wanted: ActionRequest) -> Answer:
        return call_next(centre, requester_of(sender), wanted)

    @api.post("/undo/")
    @endpoints.endpoint(
        "Undo a press",
        CurrentState,
        Role.STAFF,
        body=endpoints.action(BuiltIn.UNDO, _body(Undo, undoes=INVALID_ACTION_ID)),
        refuses=(*_OF_A_PRESS, "not_undoable", "decided_elsewhere"),
    )
    def undo(sender: Bearer, wanted: ActionRequest) -> Answer:
        return undo_press(centre, requester_of(sender), wanted)

    return api


def _body(kind: type[T], **words: ApiError) -> Body:
    """The body of a press: its members, and the entry that the path names."""

    def read(document: dict[str, Any]) -> dict[str, Any] | ApiError:
        found = read_members(kind, document, words)
        if isinstance(found, ApiError):
            return found
        members = {name: value for name, value in asdict(found).items() if value is not None}
        members.pop("action_id", None)
        return members | (request.view_args or {})

    return Body(kind, read)
