"""The exception inbox over REST: staff list its cases, show one, and settle one."""

from typing import Any

from flask import Blueprint, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.errors import ApiError
from sync.central.services.inbox import list_cases, settle, show_case
from sync.central.services.lists import MAX_ROWS
from sync.central.services.requests import ActionRequest
from sync.central.services.settlement import read_settlement
from sync.central.services.told import Told
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import Role

_DIGITS = 10  # of a number in a query


def inbox_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/exceptions/, which a staff token opens."""
    api = Blueprint("inbox", __name__, url_prefix="/api/v1/exceptions")
    for_staff = endpoints.endpoint(Role.STAFF)

    @api.get("/")
    @for_staff
    def cases(_: Bearer) -> Told | ApiError:
        return list_cases(centre, request.args.get("after") or None, _limit(request.args.get("limit")))

    @api.get("/<exception_id>/")
    @for_staff
    def case(_: Bearer, exception_id: str) -> Told | ApiError:
        return show_case(centre, exception_id)

    @api.post("/<exception_id>/settle/")
    @endpoints.endpoint(Role.STAFF, body=endpoints.action("settle", _settlement))
    def settle_case(sender: Bearer, wanted: ActionRequest, exception_id: str) -> Answer:
        return settle(centre, requester_of(sender, "desk"), exception_id, wanted)

    return api


def _limit(text: str | None) -> int:
    """The limit in a query, MAX_ROWS where it is empty. Anything else than a number gives 0, which is refused."""
    if not text:
        return MAX_ROWS
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else 0


def _settlement(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    return read_settlement(
        document.get("how"), document.get("reason", ""), document.get("patient_id"), document.get("bind", False)
    )
