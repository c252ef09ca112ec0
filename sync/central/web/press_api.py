"""The presses of a board over REST: the next call, another line, a priority, a note, an undo."""

from typing import Annotated, Any, Literal, TypeVar

from flask import Blueprint, request
from msgspec import Meta
from msgspec.structs import asdict

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bodies import ActionBody, ActionId, Body, Name, Reason, read_members
from sync.central.services.call_next import call_next
from sync.central.services.change_place import call_again, give_priority, move
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import ApiError
from sync.central.services.requests import INVALID_ACTION_ID, MAX_ID, NO_REASON, ActionRequest
from sync.central.services.undo_press import undo_press
from sync.central.services.write_note import set_note
from sync.central.web.contract import BY_THE_RULES, OF_AN_ACTION
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import BuiltIn, Role

T = TypeVar("T", bound=ActionBody)
_OF_A_PRESS = ("not_found", *OF_AN_ACTION)
_ON_AN_ENTRY = (*_OF_A_PRESS, "entry_changed", *BY_THE_RULES)
MAX_NOTE = 300


class CallNext(ActionBody, frozen=True, kw_only=True):
    """The entry that the screen shows as the first in the line of an exam, and the room that calls it."""

    exam_id: Name
    queue_id: Name
    room: Name | None = None


class Undo(ActionBody, frozen=True, kw_only=True):
    """The `action_id` of the press to undo."""

    undoes: ActionId


class CallAgain(ActionBody, frozen=True, kw_only=True):
    """`seen_state` is the state of the entry on the screen of the sender."""

    seen_state: Name | None = None


class MoveEntry(CallAgain, frozen=True, kw_only=True):
    """The exam to whose line the entry moves, with its place or to the end, and why."""

    exam_id: Name
    place: Literal["keep", "end"] = "keep"
    reason: Reason = ""


class GivePriority(CallAgain, frozen=True, kw_only=True):
    """A kind of priority of the definitions, empty to take it back, and why."""

    kind: Annotated[str, Meta(max_length=MAX_ID)]
    reason: Reason = ""


class WriteNote(ActionBody, frozen=True, kw_only=True):
    """A note for staff, empty to end it."""

    text: Annotated[str, Meta(max_length=MAX_NOTE)]


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

    @api.post("/<queue_id>/call-again/")
    @endpoints.endpoint(
        "Call a patient once more",
        CurrentState,
        Role.STAFF,
        body=endpoints.action(BuiltIn.CALL_AGAIN, _body(CallAgain)),
        refuses=(*_ON_AN_ENTRY, "decided_elsewhere"),
    )
    def call_once_more(sender: Bearer, wanted: ActionRequest, queue_id: str) -> Answer:
        return call_again(centre, requester_of(sender), queue_id, wanted)

    @api.post("/<queue_id>/move/")
    @endpoints.endpoint(
        "Move an entry to the line of another exam",
        CurrentState,
        Role.STAFF,
        body=endpoints.action(BuiltIn.MOVE_ENTRY, _body(MoveEntry, reason=NO_REASON)),
        refuses=(*_ON_AN_ENTRY, "already_in_line"),
    )
    def move_to(sender: Bearer, wanted: ActionRequest, queue_id: str) -> Answer:
        return move(centre, requester_of(sender), queue_id, wanted)

    @api.post("/<queue_id>/priority/")
    @endpoints.endpoint(
        "Let a patient go first, or no longer",
        CurrentState,
        Role.STAFF,
        body=endpoints.action(BuiltIn.SET_PRIORITY, _body(GivePriority, reason=NO_REASON)),
        refuses=(*_ON_AN_ENTRY, "unknown_priority"),
    )
    def give(sender: Bearer, wanted: ActionRequest, queue_id: str) -> Answer:
        return give_priority(centre, requester_of(sender), queue_id, wanted)

    @api.post("/<queue_id>/note/")
    @endpoints.endpoint(
        "Write a note for staff",
        CurrentState,
        Role.STAFF,
        body=endpoints.action(BuiltIn.SET_NOTE, _body(WriteNote)),
        refuses=(*_OF_A_PRESS, "no_such_entry"),
    )
    def note(sender: Bearer, wanted: ActionRequest, queue_id: str) -> Answer:
        return set_note(centre, requester_of(sender), queue_id, wanted)

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
