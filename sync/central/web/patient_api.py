"""The public interface for front ends (REST): definitions, current state, perform action."""

import hashlib
from collections.abc import Callable

import msgspec
from flask import Blueprint, Response, request

from sync.central.records.patients import patient_named
from sync.central.records.tokens import Bearer
from sync.central.services.errors import ApiError
from sync.central.services.journey_service import JourneyService
from sync.central.services.requests import read_action_request
from sync.central.web.http import admit, answer, fault, read_json, reply
from sync.journey.definitions import Definitions
from sync.journey.model import PATIENT, STAFF, Actor, Role

UNKNOWN_PATIENT = ApiError("unknown_patient", "There is no such patient.")
_OTHERS = ApiError("forbidden", "This token acts for its own patient only.")


def journey_api(service: JourneyService) -> Blueprint:
    """The routes under /api/v1/ that patients' apps and staff front ends use."""
    api = Blueprint("journey", __name__, url_prefix="/api/v1")
    document, etag = definitions_document(service.definitions)

    @api.get("/state-definitions/")
    def state_definitions() -> Response:
        response = Response(document, mimetype="application/json")
        response.set_etag(etag)
        response.headers["Cache-Control"] = "public, max-age=60"
        response.make_conditional(request)
        return response

    def current_state() -> Response:
        return _current_state(service)

    def perform_action() -> Response:
        return _perform_action(service)

    _with_alias(api, "current-state", "GET", current_state)
    _with_alias(api, "perform-action", "POST", perform_action)
    return api


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


def asker_of(sender: Bearer) -> Actor:
    """A token's holder as the rules know them."""
    return STAFF if sender.role is Role.STAFF else PATIENT


def subject_of(service: JourneyService, sender: Bearer, named: str | None) -> str | ApiError | None:
    """Whom a request is about: staff name a patient (or show a card), a patient's token means its own patient only, by
    whatever name: an app may still know the one that was merged into another."""
    if sender.role is Role.STAFF:
        return named
    if named is None or named == sender.patient_id:
        return sender.patient_id
    with service.store.read() as db:
        return sender.patient_id if patient_named(db, named) == sender.patient_id else _OTHERS


def _with_alias(api: Blueprint, name: str, method: str, view: Callable[[], Response]) -> None:
    """The same view under its name and under the older spelling with an underscore."""
    for spelling in (name, name.replace("-", "_")):
        api.add_url_rule(f"/patient-journey/{spelling}/", spelling, view, methods=[method])


def _current_state(service: JourneyService) -> Response:
    sender = admit(service, Role.PATIENT, Role.STAFF)
    if isinstance(sender, ApiError):
        return fault(sender)
    subject = subject_of(service, sender, request.args.get("patient_id"))
    if isinstance(subject, ApiError):
        return fault(subject)
    if subject is None:
        return fault(ApiError("missing_patient_id", "A staff token names the patient: ?patient_id=…"))
    state = service.current(asker_of(sender), subject)
    if state is None:
        return fault(UNKNOWN_PATIENT)
    if sender.role is Role.STAFF:
        note_look(service, sender, "current_state", subject)
    return reply(state)


def _perform_action(service: JourneyService) -> Response:
    sender = admit(service, Role.PATIENT, Role.STAFF)
    if isinstance(sender, ApiError):
        return fault(sender)
    document = read_json()
    found = document if isinstance(document, ApiError) else read_action_request(document, service.keys, service.ids)
    if isinstance(found, ApiError):
        return answer(service.refusal(asker_of(sender), sender.patient_id, found))
    subject = subject_of(service, sender, found.named("patient_id"))
    if isinstance(subject, ApiError):
        return answer(service.refusal(asker_of(sender), sender.patient_id, subject))
    return answer(service.perform(asker_of(sender), subject, found, "rest", sender.who))


def note_look(service: JourneyService, sender: Bearer, kind: str, *patient_ids: str) -> None:
    """Records that staff looked at patients, and from where."""
    service.looks.note(sender.who, kind, request.remote_addr, patient_ids, service.clock())
