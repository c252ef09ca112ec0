"""Requests of staff about a patient over REST: history, merged records and corrected journeys."""

from typing import Any

from flask import Blueprint

from sync.central.centre import Centre
from sync.central.records.duties import Duty
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bodies import ActionBody, Body, GivenReason, Name, read_members
from sync.central.services.change_entry import correct_journey
from sync.central.services.current_state import CurrentState
from sync.central.services.errors import ApiError
from sync.central.services.lists import Earlier
from sync.central.services.merge import MergedPatient, merge_patients
from sync.central.services.queue import History, history
from sync.central.services.requests import NO_REASON_GIVEN, NO_STATE, ActionRequest
from sync.central.services.told import Told
from sync.central.web.contract import BY_THE_RULES, OF_AN_ACTION
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.correction import CORRECTION
from sync.journey.model import Role

_NO_RECORD = ApiError("malformed", "patient_id must name the record that is merged into this one.")


class MergeRecord(ActionBody, frozen=True, kw_only=True):
    """The record that is merged into the patient's. `seen` is that of the preview which the sender has looked at."""

    patient_id: Name
    seen: Name | None = None


class CorrectJourney(ActionBody, frozen=True, kw_only=True):
    """The state that a patient's journey gets, and why."""

    state: Name
    reason: GivenReason


def staff_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes about a patient under /api/v1/patients/, which a staff token opens. Reception merges records."""
    api = Blueprint("staff", __name__, url_prefix="/api/v1")

    @api.get("/patients/<patient_id>/history/")
    @endpoints.endpoint(
        "List a patient's transitions", History, Role.STAFF, query=Earlier, refuses=("unknown_patient",)
    )
    def patient_history(_: Bearer, page: Earlier, patient_id: str) -> Told | ApiError:
        return history(centre, patient_id, page)

    @api.post("/patients/<patient_id>/merge/")
    @endpoints.endpoint(
        "Merge two records of one person",
        MergedPatient,
        Role.STAFF,
        body=endpoints.action("merge", Body(MergeRecord, _merged_record)),
        refuses=("unknown_patient", "same_patient", "changed_meanwhile", *OF_AN_ACTION),
        duty=Duty.RECEPTION,
    )
    def merge(sender: Bearer, wanted: ActionRequest, patient_id: str) -> Answer:
        return merge_patients(centre, requester_of(sender, "desk"), patient_id, wanted)

    @api.post("/patients/<patient_id>/correct/")
    @endpoints.endpoint(
        "Correct a patient's journey",
        CurrentState,
        Role.STAFF,
        body=endpoints.action(CORRECTION, Body(CorrectJourney, _correction)),
        refuses=("unknown_patient", *OF_AN_ACTION, *BY_THE_RULES),
    )
    def correct(sender: Bearer, wanted: ActionRequest, patient_id: str) -> Answer:
        return correct_journey(centre, requester_of(sender), patient_id, wanted)

    return api


def _merged_record(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    found = read_members(MergeRecord, document, {"patient_id": _NO_RECORD})
    if isinstance(found, ApiError):
        return found
    return {"patient_id": found.patient_id, **({"seen": found.seen} if found.seen else {})}


def _correction(document: dict[str, Any]) -> dict[str, Any] | ApiError:
    found = read_members(CorrectJourney, document, {"state": NO_STATE, "reason": NO_REASON_GIVEN})
    return found if isinstance(found, ApiError) else {"state": found.state, "reason": found.reason}
