"""The public interface for front ends (REST): definitions, current state, perform action."""

import hashlib
from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer, refuse
from sync.central.services.authentication import actor_of, expected, subject_of
from sync.central.services.current_state import read_current_state
from sync.central.services.door import Outgoing, publish
from sync.central.services.errors import MISSING_PATIENT_ID, ApiError
from sync.central.services.once import BearerChanged
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.services.told import AboutNobody, Told
from sync.central.web.endpoints import Endpoints, requester_of
from sync.central.web.http import read_json, respond
from sync.central.web.senders import header_token
from sync.journey.definitions import Definitions
from sync.journey.model import Role

_PEOPLE = (Role.PATIENT, Role.STAFF)


def patient_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/ that patients' apps and staff front ends use."""
    api = Blueprint("patient", __name__, url_prefix="/api/v1")
    document, etag = definitions_document(centre.definitions)
    for_people = endpoints.endpoint(*_PEOPLE)

    @api.get("/state-definitions/")
    def state_definitions() -> Response:
        response = respond(HTTPStatus.OK, document)
        response.set_etag(etag)
        response.headers["Cache-Control"] = "public, max-age=60"
        response.make_conditional(request)
        return response

    @for_people
    def current_state(sender: Bearer) -> Told | ApiError:
        subject = subject_of(centre, sender, request.args.get("patient_id"))
        if not isinstance(subject, str):
            return subject or MISSING_PATIENT_ID
        return read_current_state(centre, actor_of(sender), subject)

    def read_wanted() -> ActionRequest | ApiError:
        document = read_json()
        return document if isinstance(document, ApiError) else read_action_request(document, centre.keys, centre.ids)

    def perform_confirmed(read: Callable[[], ActionRequest | ApiError]) -> Response:
        @for_people
        def view(sender: Bearer) -> Answer:
            return perform_for(centre, sender, requester_of(sender), read(), sender.patient_id)

        return view()

    def perform_action() -> Response:
        sender = expected(centre, header_token(), _PEOPLE)
        if sender is None:
            return perform_confirmed(read_wanted)
        wanted, requester = read_wanted(), requester_of(sender, is_expected=True)
        answer = perform_expected(centre, sender, requester, wanted)
        return perform_confirmed(lambda: wanted) if answer is None else endpoints.answer(requester, answer)

    _with_alias(api, "current-state", "GET", current_state)
    _with_alias(api, "perform-action", "POST", perform_action)
    return api


def perform_expected(
    centre: Centre, sender: Bearer, requester: Requester, wanted: ActionRequest | ApiError
) -> Answer | None:
    """The answer to an action of a sender whom the action itself confirms, as `expected()` names them.

    None where the sender has to be confirmed first. Nothing is done then, and nobody is told anything.
    """
    if isinstance(wanted, ApiError):
        return None
    subject = wanted.named("patient_id") or sender.patient_id
    if sender.role is not Role.STAFF and subject != sender.patient_id:
        return None
    try:
        return perform(centre, requester, subject, wanted)
    except BearerChanged:
        centre.bearers.forget(sender.token_hash)
        return None


def perform_for(
    centre: Centre, sender: Bearer, requester: Requester, wanted: ActionRequest | ApiError, default: str | None
) -> Answer:
    """The answer to a request to act, over any channel.

    A request that names no patient is for `default`. A refusal before the action holds the state of `default`.
    """
    if isinstance(wanted, ApiError):
        return refuse(centre, requester.actor, default, wanted)
    subject = subject_of(centre, sender, wanted.named("patient_id") or default)
    if isinstance(subject, ApiError):
        return refuse(centre, requester.actor, default, subject)
    return perform(centre, requester, subject, wanted)


def definitions_document(definitions: Definitions) -> tuple[Outgoing, str]:
    """The definitions as the public interface shows them, as JSON, and their entity tag."""
    shown = {
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
    document = publish(AboutNobody(shown))
    return document, hashlib.sha256(document).hexdigest()[:32]


def _with_alias(api: Blueprint, name: str, method: str, view: Callable[..., Response]) -> None:
    """Adds a view under its name, and under the older name with an underscore."""
    for spelling in (name, name.replace("-", "_")):
        api.add_url_rule(f"/patient-journey/{spelling}/", spelling, view, methods=[method])
