"""Requests of staff about a patient over REST: history, merged records and corrected journeys."""

from typing import Any

from flask import Blueprint

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.change_entry import correct_journey
from sync.central.services.errors import ApiError
from sync.central.services.merge import merge_patients
from sync.central.services.queue import history
from sync.central.services.requests import MAX_REASON, NO_STATE, ActionRequest, is_name, is_reason
from sync.central.services.told import Told
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.correction import CORRECTION
from sync.journey.model import Role


def staff_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes about a patient under /api/v1/patients/, which a staff token opens."""
    api = Blueprint("staff", __name__, url_prefix="/api/v1")

    @api.get("/patients/<patient_id>/history/")
    @endpoints.endpoint(Role.STAFF)
    def patient_history(_: Bearer, patient_id: str) -> Told | ApiError:
        return history(centre, patient_id)

    @api.post("/patients/<patient_id>/merge/")
    @endpoints.endpoint(Role.STAFF, body=endpoints.action("merge", _merged_record))
    def merge(sender: Bearer, wanted: ActionRequest, patient_id: str) -> Answer:
        return merge_patients(centre, requester_of(sender, "desk"), patient_id, wanted)

    @api.post("/patients/<patient_id>/correct/")
    @endpoints.endpoint(Role.STAFF, body=endpoints.action(CORRECTION, _correction))
    def correct(sender: Bearer, wanted: ActionRequest, patient_id: str) -> Answer:
        return correct_journey(centre, requester_of(sender), patient_id, wanted)

    return api


def _merged_record(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    if not is_name(document.get("patient_id")):
        return ApiError("malformed", "patient_id must name the record that is merged into this one.")
    return {"patient_id": document["patient_id"]}


def _correction(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    state, reason = document.get("state"), document.get("reason", "")
    if not is_name(state):
        return NO_STATE
    if not is_reason(reason) or not str(reason).strip():
        return ApiError("malformed", f"reason must be a text of 1 to {MAX_REASON} characters.")
    return {"state": state, "reason": reason}
