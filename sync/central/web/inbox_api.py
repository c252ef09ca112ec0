"""The exception inbox over REST: staff list its cases, show one, see what a settlement would do, and settle one."""

from typing import Any

from flask import Blueprint

from sync.central.centre import Centre
from sync.central.records.duties import Duty
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bodies import Body, read_members
from sync.central.services.discard_cases import DiscardCases, DiscardedCases, discard_some
from sync.central.services.errors import ApiError
from sync.central.services.foresee_case import Foreseen, preview_case
from sync.central.services.inbox import (
    CaseCounts,
    CasesAsked,
    count_cases,
    list_cases,
    list_settled,
    settle,
    show_case,
)
from sync.central.services.inbox_views import CasePage, CaseView, SettledCases
from sync.central.services.lists import Page
from sync.central.services.requests import NO_REASON_GIVEN, ActionRequest
from sync.central.services.settle_case import SettledCase
from sync.central.services.settlement import PreviewCase, SettleCase, read_preview, read_settlement
from sync.central.services.told import AboutNobody, Telling, Told
from sync.central.web.contract import OF_AN_ACTION
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import Role


def inbox_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/exceptions/, which the duty of the reception opens."""
    api = Blueprint("inbox", __name__, url_prefix="/api/v1/exceptions")

    @api.get("/")
    @endpoints.endpoint(
        "List the open cases", CasePage, Role.STAFF, duty=Duty.RECEPTION, query=CasesAsked, refuses=("not_found",)
    )
    def cases(_: Bearer, page: CasesAsked) -> Told | ApiError:
        return list_cases(centre, page)

    @api.get("/count/")
    @endpoints.endpoint("Count the open cases", CaseCounts, Role.STAFF, duty=Duty.RECEPTION)
    def count(_: Bearer) -> Telling:
        return AboutNobody(count_cases(centre))

    @api.get("/settled/")
    @endpoints.endpoint(
        "List the cases settled today",
        SettledCases,
        Role.STAFF,
        duty=Duty.RECEPTION,
        query=Page,
        refuses=("not_found",),
    )
    def settled(_: Bearer, page: Page) -> Told | ApiError:
        return list_settled(centre, page)

    @api.post("/discard/")
    @endpoints.endpoint(
        "Discard the cases of a kiosk",
        DiscardedCases,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=Body(DiscardCases, lambda document: read_members(DiscardCases, document, {"reason": NO_REASON_GIVEN})),
        refuses=("not_found",),
    )
    def discard(sender: Bearer, wanted: DiscardCases) -> Telling | ApiError:
        found = discard_some(centre, requester_of(sender, "desk"), wanted)
        return found if isinstance(found, ApiError) else AboutNobody(found)

    @api.get("/<exception_id>/")
    @endpoints.endpoint("Show a case", CaseView, Role.STAFF, duty=Duty.RECEPTION, refuses=("not_found",))
    def case(_: Bearer, exception_id: str) -> Told | ApiError:
        return show_case(centre, exception_id)

    @api.post("/<exception_id>/preview/")
    @endpoints.endpoint(
        "Tell what a settlement would do",
        Foreseen,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=Body(PreviewCase, _preview),
        refuses=("not_found",),
    )
    def preview(sender: Bearer, payload: dict[str, Any], exception_id: str) -> Told | ApiError:
        return preview_case(centre, requester_of(sender, "desk"), exception_id, payload)

    @api.post("/<exception_id>/settle/")
    @endpoints.endpoint(
        "Settle a case",
        SettledCase,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action("settle", Body(SettleCase, _settlement)),
        refuses=(*_REFUSED, *OF_AN_ACTION),
    )
    def settle_case(sender: Bearer, wanted: ActionRequest, exception_id: str) -> Answer:
        return settle(centre, requester_of(sender, "desk"), exception_id, wanted)

    return api


def _settlement(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    return read_settlement(
        document.get("how"),
        document.get("reason", ""),
        document.get("patient_id"),
        document.get("bind", False),
        document.get("seen"),
    )


def _preview(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    return read_preview(document.get("how"), document.get("patient_id"), document.get("bind", False))


_REFUSED = ("not_found", "unknown_patient", "not_allowed", "not_applicable", "card_blocked", "case_changed")
