"""The exception inbox over REST: staff list its cases, show one, and settle one."""

from typing import Any

from flask import Blueprint

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bodies import Body
from sync.central.services.errors import ApiError
from sync.central.services.inbox import SettledCase, list_cases, settle, show_case
from sync.central.services.inbox_views import CasePage, CaseView
from sync.central.services.lists import Page
from sync.central.services.requests import ActionRequest
from sync.central.services.settlement import SettleCase, read_settlement
from sync.central.services.told import Told
from sync.central.web.contract import OF_AN_ACTION
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import Role


def inbox_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/exceptions/, which a staff token opens."""
    api = Blueprint("inbox", __name__, url_prefix="/api/v1/exceptions")

    @api.get("/")
    @endpoints.endpoint("List the open cases", CasePage, Role.STAFF, query=Page, refuses=("not_found",))
    def cases(_: Bearer, page: Page) -> Told | ApiError:
        return list_cases(centre, page)

    @api.get("/<exception_id>/")
    @endpoints.endpoint("Show a case", CaseView, Role.STAFF, refuses=("not_found",))
    def case(_: Bearer, exception_id: str) -> Told | ApiError:
        return show_case(centre, exception_id)

    @api.post("/<exception_id>/settle/")
    @endpoints.endpoint(
        "Settle a case",
        SettledCase,
        Role.STAFF,
        body=endpoints.action("settle", Body(SettleCase, _settlement)),
        refuses=("not_found", "unknown_patient", "not_allowed", "not_applicable", "card_blocked", *OF_AN_ACTION),
    )
    def settle_case(sender: Bearer, wanted: ActionRequest, exception_id: str) -> Answer:
        return settle(centre, requester_of(sender, "desk"), exception_id, wanted)

    return api


def _settlement(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    return read_settlement(
        document.get("how"), document.get("reason", ""), document.get("patient_id"), document.get("bind", False)
    )
