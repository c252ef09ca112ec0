"""The queue over REST: staff list it, search it, and change an entry directly."""

from typing import Any

import msgspec
from flask import Blueprint, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.change_entry import change_entry
from sync.central.services.errors import ApiError
from sync.central.services.queue import Search, search_queue
from sync.central.services.requests import NO_REASON, NO_STATE, ActionRequest, is_name, is_reason
from sync.central.services.told import Told
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import BuiltIn, Role


def queue_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/queue/, which a staff token opens."""
    api = Blueprint("queue", __name__, url_prefix="/api/v1/queue")

    def search(wanted: dict[str, Any], *, by_name: bool) -> Told | ApiError:
        try:
            return search_queue(centre, msgspec.structs.replace(msgspec.convert(wanted, Search), by_name=by_name))
        except msgspec.ValidationError as error:
            return ApiError("malformed", f"{error}.")

    @api.get("/")
    @endpoints.endpoint(Role.STAFF)
    def list_queue(_: Bearer) -> Told | ApiError:
        return search({name: value for name, value in request.args.items() if value}, by_name=False)

    @api.post("/search/")
    @endpoints.endpoint(Role.STAFF, body=dict)
    def search_by_name(_: Bearer, wanted: dict[str, Any]) -> Told | ApiError:
        # A name to look for is in the body, since logs hold URLs.
        return search(wanted, by_name=True)

    @api.patch("/<queue_id>/")
    @endpoints.endpoint(Role.STAFF, body=endpoints.action(BuiltIn.CHANGE_ENTRY, _entry_change))
    def change(sender: Bearer, wanted: ActionRequest, queue_id: str) -> Answer:
        return change_entry(centre, requester_of(sender), queue_id, wanted)

    return api


def _entry_change(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    state, reason = document.get("state"), document.get("reason", "")
    if not is_name(state):
        return NO_STATE
    if not is_reason(reason):
        return NO_REASON
    return {"queue_id": (request.view_args or {}).get("queue_id"), "state": state, "reason": reason}
