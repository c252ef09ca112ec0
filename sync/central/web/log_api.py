"""The access log over REST, for administrators: search, the state of the chain, and a verification in parts."""

import msgspec
from flask import Blueprint

from sync.central.centre import Centre
from sync.central.maintenance.log_verifying import log_keys, next_portion
from sync.central.records.duties import Duty
from sync.central.records.log_verification import BEGIN, ChainPlace, Heads, VerifiedPart
from sync.central.records.tokens import Bearer
from sync.central.services.bodies import Body, read_members
from sync.central.services.errors import ApiError
from sync.central.services.read_log import LogPage, LogQuery, LogState, find_log, log_state
from sync.central.services.told import AboutNobody, Telling
from sync.central.web.endpoints import Endpoints
from sync.journey.model import Role


class VerifyLog(msgspec.Struct, frozen=True):
    """Where a verification goes on: the `place` of the part before. Without one it begins."""

    place: ChainPlace | None = None


def log_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/access-log/, which the duty of an administrator opens."""
    api = Blueprint("access log", __name__, url_prefix="/api/v1/access-log")

    @api.post("/search/")
    @endpoints.endpoint(
        "Search the access log",
        LogPage,
        Role.STAFF,
        duty=Duty.ADMINISTRATOR,
        body=Body(LogQuery, lambda document: read_members(LogQuery, _given(document), {})),
    )
    def search(_: Bearer, query: LogQuery) -> Telling | ApiError:
        return find_log(centre, query)

    @api.get("/state/")
    @endpoints.endpoint("Read the state of the access log's chain", LogState, Role.STAFF, duty=Duty.ADMINISTRATOR)
    def state(_: Bearer) -> Telling:
        return log_state(centre)

    @api.post("/verify/")
    @endpoints.endpoint(
        "Verify the next blocks of the access log",
        VerifiedPart,
        Role.STAFF,
        duty=Duty.ADMINISTRATOR,
        body=Body(VerifyLog, lambda document: read_members(VerifyLog, document, {})),
    )
    def verify(_: Bearer, wanted: VerifyLog) -> Telling:
        return AboutNobody(next_portion(centre, log_keys(centre), wanted.place or BEGIN, Heads()))

    return api


def _given(document: dict[str, object]) -> dict[str, object]:
    """The members of a form that somebody has filled in. An empty text counts as left out."""
    return {name: value for name, value in document.items() if value != ""}
