"""The public interface for front ends (REST): definitions, current state, perform action."""

import hashlib
from collections.abc import Callable

import msgspec
from flask import Blueprint, Response, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer, refuse
from sync.central.services.authentication import actor_of, subject_of
from sync.central.services.current_state import CurrentState, read_current_state
from sync.central.services.errors import MISSING_PATIENT_ID, ApiError
from sync.central.services.once import Requester
from sync.central.services.perform_action import perform
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.web.endpoints import Endpoints
from sync.central.web.http import JSON, read_json
from sync.journey.definitions import Definitions
from sync.journey.model import Role


def patient_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/ that patients' apps and staff front ends use."""
    api = Blueprint("patient", __name__, url_prefix="/api/v1")
    document, etag = definitions_document(centre.definitions)
    for_people = endpoints.endpoint(Role.PATIENT, Role.STAFF)

    @api.get("/state-definitions/")
    def state_definitions() -> Response:
        response = Response(document, content_type=JSON)
        response.set_etag(etag)
        response.headers["Cache-Control"] = "public, max-age=60"
        response.make_conditional(request)
        return response

    @for_people
    def current_state(sender: Bearer) -> CurrentState | ApiError:
        subject = subject_of(centre, sender, request.args.get("patient_id"))
        if not isinstance(subject, str):
            return subject or MISSING_PATIENT_ID
        state = read_current_state(centre, actor_of(sender), subject)
        if isinstance(state, CurrentState):
            endpoints.record_look(sender, "current_state", subject)
        return state

    @for_people
    def perform_action(sender: Bearer) -> Answer:
        document = read_json()
        wanted = document if isinstance(document, ApiError) else read_action_request(document, centre.keys, centre.ids)
        return perform_for(centre, sender, "rest", wanted, sender.patient_id)

    _with_alias(api, "current-state", "GET", current_state)
    _with_alias(api, "perform-action", "POST", perform_action)
    return api


def perform_for(
    centre: Centre, sender: Bearer, channel: str, wanted: ActionRequest | ApiError, default: str | None
) -> Answer:
    """The answer to a request to act, over any channel.

    A request that names no patient is for `default`. A refusal before the action holds the state of `default`.
    """
    actor = actor_of(sender)
    if isinstance(wanted, ApiError):
        return refuse(centre, actor, default, wanted)
    subject = subject_of(centre, sender, wanted.named("patient_id") or default)
    if isinstance(subject, ApiError):
        return refuse(centre, actor, default, subject)
    return perform(centre, Requester(actor, sender.who, channel), subject, wanted)


def definitions_document(definitions: Definitions) -> tuple[bytes, str]:
    """The definitions as the public interface shows them, as JSON, and their entity tag."""
    document = msgspec.json.encode(
        {
            "definitions_version": definitions.version,
            "journey_states": definitions.journey_states,
            "queue_states": definitions.queue_states,
            "patient_actions": definitions.actions_by("patient"),
            "staff_actions": definitions.actions_by("staff"),
            "state_transitions": definitions.state_transitions(),
            "mappings": {
                "queue_to_journey": dict(definitions.queue_to_journey),
                "journey_to_queue": dict(definitions.journey_to_queue),
            },
        }
    )
    return document, hashlib.sha256(document).hexdigest()[:32]


def _with_alias(api: Blueprint, name: str, method: str, view: Callable[..., Response]) -> None:
    """Adds a view under its name, and under the older name with an underscore."""
    for spelling in (name, name.replace("-", "_")):
        api.add_url_rule(f"/patient-journey/{spelling}/", spelling, view, methods=[method])
