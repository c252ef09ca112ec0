"""The queue over REST: staff list it, search it, and change an entry directly."""

from typing import Any

from flask import Blueprint, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bodies import ActionBody, Body, Name, Reason, read_members
from sync.central.services.change_entry import change_entry
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import ApiError
from sync.central.services.queue import QueuePage, Search, search_queue
from sync.central.services.requests import NO_REASON, NO_STATE, ActionRequest
from sync.central.services.told import Told
from sync.central.web.contract import BY_THE_RULES, OF_AN_ACTION
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import BuiltIn, Role

_OF_A_SEARCH = ("unknown_state", "not_found")
_SEARCH = Body(Search, lambda document: read_members(Search, document, {}))


class ChangeEntry(ActionBody, frozen=True, kw_only=True):
    """The new state of a queue entry, and why it changes. `seen_state` is its state on the screen of the sender."""

    state: Name
    reason: Reason = ""
    seen_state: Name | None = None


def queue_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/queue/, which a staff token opens."""
    api = Blueprint("queue", __name__, url_prefix="/api/v1/queue")

    @api.get("/")
    @endpoints.endpoint("List today's entries of the queue", QueuePage, Role.STAFF, query=Search, refuses=_OF_A_SEARCH)
    def list_queue(_: Bearer, search: Search) -> Told | ApiError:
        return search_queue(centre, search)

    @api.post("/search/")
    @endpoints.endpoint("List today's entries by a name too", QueuePage, Role.STAFF, body=_SEARCH, refuses=_OF_A_SEARCH)
    def search_by_name(_: Bearer, search: Search) -> Told | ApiError:
        # A name to look for is in the body, since logs hold URLs.
        return search_queue(centre, search, by_name=True)

    @api.patch("/<queue_id>/")
    @endpoints.endpoint(
        "Change the state of an entry",
        CurrentState,
        Role.STAFF,
        body=endpoints.action(BuiltIn.CHANGE_ENTRY, Body(ChangeEntry, _entry_change)),
        refuses=("not_found", "entry_changed", *OF_AN_ACTION, *BY_THE_RULES),
    )
    def change(sender: Bearer, wanted: ActionRequest, queue_id: str) -> Answer:
        return change_entry(centre, requester_of(sender), queue_id, wanted)

    return api


def _entry_change(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    found = read_members(ChangeEntry, document, {"state": NO_STATE, "reason": NO_REASON})
    if isinstance(found, ApiError):
        return found
    seen = {} if found.seen_state is None else {"seen_state": found.seen_state}
    queue_id = (request.view_args or {}).get("queue_id")
    return {"queue_id": queue_id, "state": found.state, "reason": found.reason, **seen}
