"""The part of the REST interface in which staff decide: the exception inbox, merged records, corrected journeys."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from sync.central.records.tokens import Bearer
from sync.central.services.errors import ApiError
from sync.central.services.inbox import APPLY, DISCARD, REASSIGN, ExceptionInbox
from sync.central.services.inbox_views import MAX_ROWS
from sync.central.services.journey_service import Answer, JourneyService
from sync.central.services.requests import ActionRequest, is_name, read_action_request
from sync.central.web.http import admitting, answer, fault, read_json, reply
from sync.central.web.patient_api import note_look
from sync.journey.correction import CORRECTION
from sync.journey.model import Role

MAX_REASON = 500
_DIGITS = 10  # of a number in a query


def desk_api(service: JourneyService) -> Blueprint:
    """The routes under /api/v1/ by which staff decide."""
    api = Blueprint("desk", __name__, url_prefix="/api/v1")
    desk, for_staff = ExceptionInbox(service), admitting(service, Role.STAFF)

    @api.get("/exceptions/")
    @for_staff
    def exceptions(_: Bearer) -> Response:
        return _listed(desk)

    @api.get("/exceptions/<exception_id>/")
    @for_staff
    def one(sender: Bearer, exception_id: str) -> Response:
        return _one(service, desk, sender, exception_id)

    @api.post("/exceptions/<exception_id>/settle/")
    @for_staff
    def settle(sender: Bearer, exception_id: str) -> Response:
        return _decided(service, "settle", _settlement, lambda ask: desk.settle(exception_id, ask, sender.who))

    @api.post("/patients/<patient_id>/merge/")
    @for_staff
    def merge(sender: Bearer, patient_id: str) -> Response:
        return _decided(service, "merge", _merging, lambda ask: desk.merge(patient_id, ask, sender.who))

    @api.post("/patients/<patient_id>/correct/")
    @for_staff
    def correct(sender: Bearer, patient_id: str) -> Response:
        return _decided(service, CORRECTION, _correction, lambda ask: service.correct(patient_id, ask, sender.who))

    return api


def _listed(desk: ExceptionInbox) -> Response:
    asked = request.args.get("limit") or str(MAX_ROWS)
    limit = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < _DIGITS else 0
    found = desk.cases(request.args.get("after") or None, limit)
    return fault(found) if isinstance(found, ApiError) else reply({"exceptions": found.cases, "more": found.more})


def _one(service: JourneyService, desk: ExceptionInbox, sender: Bearer, exception_id: str) -> Response:
    found = desk.case(exception_id)
    if found is None:
        return fault(ApiError("not_found", "There is no such case."))
    if found["patient"]:
        note_look(service, sender, "exception", found["patient"]["patient_id"])
    return reply(found)


def _decided(
    service: JourneyService,
    action_type: str,
    payload_of: Callable[[dict[str, Any]], dict[str, Any] | ApiError],
    decide: Callable[[ActionRequest], Answer],
) -> Response:
    """The answer to the request in the body: an action of that type with what the body says as its payload."""
    document = read_json()
    if isinstance(document, ApiError):
        return fault(document)
    if not isinstance(document, dict):
        return fault(ApiError("malformed", "The body must be a JSON object."))
    payload = payload_of(document)
    if isinstance(payload, ApiError):
        return fault(payload)
    made = {"action_id": document.get("action_id"), "action_type": action_type, "payload": payload}
    ask = read_action_request(made, service.keys, service.ids)
    return fault(ask) if isinstance(ask, ApiError) else answer(decide(ask))


def _settlement(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    return settlement(document.get("how"), document.get("reason", ""), document.get("patient_id"))


def settlement(how: object, reason: object, patient_id: object) -> dict[str, Any] | ApiError:
    """The payload of a settlement, or what is wrong with it."""
    if how not in (APPLY, DISCARD, REASSIGN):
        return ApiError("malformed", f"how must be one of {APPLY}, {DISCARD}, {REASSIGN}.")
    if not _is_reason(reason):
        return _BAD_REASON
    if how == DISCARD and not str(reason).strip():
        return ApiError("malformed", "A case is discarded for a reason.")
    if how == REASSIGN and not is_name(patient_id):
        return ApiError("malformed", "patient_id must name whose it is.")
    return {"how": how, "reason": reason, "patient_id": patient_id if how == REASSIGN else None}


def _merging(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    if not is_name(document.get("patient_id")):
        return ApiError("malformed", "The body must name patient_id: the record that is to go.")
    return {"patient_id": document["patient_id"]}


def _correction(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    state, reason = document.get("state"), document.get("reason", "")
    if not is_name(state):
        return ApiError("malformed", "The body must name a state.")
    if not _is_reason(reason) or not reason.strip():
        return ApiError("malformed", f"A journey is corrected for a reason, of at most {MAX_REASON} characters.")
    return {"state": state, "reason": reason}


def _is_reason(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_REASON


_BAD_REASON = ApiError("malformed", f"reason must be a text of at most {MAX_REASON} characters.")
