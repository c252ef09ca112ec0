"""The tokens of visits and of apps over REST: what a visit shows, a patient's token for a visit's, a newer token."""

from typing import Annotated

import msgspec
from flask import Blueprint, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.app_tokens import AppToken, identify, renew_app_token
from sync.central.services.bodies import Body, read_members
from sync.central.services.errors import MISSING_PATIENT_ID, ApiError
from sync.central.services.told import AboutNobody, Told
from sync.central.services.visit import VisitView, read_visit
from sync.central.web.endpoints import Endpoints
from sync.journey.model import Role


class BirthDate(msgspec.Struct, frozen=True):
    """The patient's birth date, as ISO 8601 writes it."""

    birth_date: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", max_length=10)]


def visit_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/ for the token of a visit, and for apps that renew theirs."""
    api = Blueprint("visit", __name__, url_prefix="/api/v1")

    @api.get("/visit/")
    @endpoints.endpoint("Read what the page of a visit shows", VisitView, Role.VISIT, refuses=("unknown_patient",))
    def visit(sender: Bearer) -> Told | ApiError:
        return MISSING_PATIENT_ID if sender.patient_id is None else read_visit(centre, sender.patient_id)

    @api.post("/visit/identify/")
    @endpoints.endpoint(
        "Get a patient's token by the birth date",
        AppToken,
        Role.VISIT,
        body=Body(BirthDate, lambda document: read_members(BirthDate, document, {})),
        refuses=("not_identified",),
    )
    def identify_patient(sender: Bearer, given: BirthDate) -> AboutNobody | ApiError:
        return _token(identify(centre, sender, given.birth_date, request.remote_addr))

    @api.post("/token/renew/")
    @endpoints.endpoint("Get a newer token", AppToken, Role.PATIENT, refuses=("token_replaced",))
    def renew(sender: Bearer) -> AboutNobody | ApiError:
        return _token(renew_app_token(centre, sender, request.remote_addr))

    return api


def _token(found: AppToken | ApiError) -> AboutNobody | ApiError:
    return found if isinstance(found, ApiError) else AboutNobody(found)
