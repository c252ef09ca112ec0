"""The staff's part of the REST interface: the queue, cards, a patient's history."""

from typing import Any

import msgspec
from flask import Blueprint, Response, request

from sync.cards import CardHash, canonical_tag
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.records.audit import note
from sync.central.records.bindings import bind, binding_of_card
from sync.central.records.journeys import mark_changed
from sync.central.records.patients import patient_named
from sync.central.records.site import read_site
from sync.central.records.tokens import Bearer
from sync.central.services import queue as staff
from sync.central.services.errors import ApiError
from sync.central.services.journey_service import JourneyService
from sync.central.services.requests import is_name, read_action_request
from sync.central.web.http import admitting, answer, fault, read_json, reply
from sync.central.web.patient_api import UNKNOWN_PATIENT, note_look
from sync.clock import iso
from sync.journey.model import Role

MAX_REASON = 500


def staff_api(service: JourneyService) -> Blueprint:
    """The routes under /api/v1/ that a staff token opens."""
    api = Blueprint("staff", __name__, url_prefix="/api/v1")
    for_staff = admitting(service, Role.STAFF)

    @api.get("/queue/")
    @for_staff
    def list_queue(sender: Bearer) -> Response:
        asked = {name: value for name, value in request.args.items() if value}
        return _queue(service, sender, asked, by_name=False)

    @api.post("/queue/search/")
    @for_staff
    def search_queue(sender: Bearer) -> Response:
        # A name to look for belongs into a body: URLs end up in logs.
        document = read_json()
        return fault(document) if isinstance(document, ApiError) else _queue(service, sender, document, by_name=True)

    @api.patch("/queue/<queue_id>/")
    @for_staff
    def change_entry(sender: Bearer, queue_id: str) -> Response:
        return _change_entry(service, sender, queue_id)

    @api.post("/bindings/")
    @for_staff
    def bindings(sender: Bearer) -> Response:
        return _bind(service, sender)

    @api.get("/patients/<patient_id>/history/")
    @for_staff
    def history(sender: Bearer, patient_id: str) -> Response:
        return _history(service, sender, patient_id)

    return api


def _queue(service: JourneyService, sender: Bearer, asked: Any, *, by_name: bool) -> Response:
    try:
        search = msgspec.structs.replace(msgspec.convert(asked, staff.Search), by_name=by_name)
    except msgspec.ValidationError as error:
        return fault(ApiError("malformed", f"{error}."))
    if search.state is not None and search.state not in service.definitions.queue_states:
        return fault(ApiError("unknown_state", "There is no such queue state."))
    now = service.clock()
    with service.store.read() as db:
        site = read_site(db)
        rows = staff.queue(db, service.definitions, site, site.day(now), search)
    note_look(service, sender, "queue", *dict.fromkeys(row.patient_id for row in rows))
    return reply({"entries": rows, "timestamp": iso(now, site.site.timezone)})


def _change_entry(service: JourneyService, sender: Bearer, queue_id: str) -> Response:
    document = read_json()
    if isinstance(document, ApiError):
        return fault(document)
    if not isinstance(document, dict) or not is_name(document.get("state")):
        return fault(ApiError("malformed", "The body must name a state."))
    state, reason = document["state"], document.get("reason", "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON:
        return fault(ApiError("malformed", f"reason must be a text of at most {MAX_REASON} characters."))
    payload = {"queue_id": queue_id, "state": state, "reason": reason}
    found = read_action_request(
        {**document, "action_type": "change_entry", "payload": payload}, service.keys, service.ids
    )
    if isinstance(found, ApiError):
        return fault(found)
    return answer(service.change_entry(queue_id, state, reason, found, sender.who))


def _bind(service: JourneyService, sender: Bearer) -> Response:
    document = read_json()
    if isinstance(document, ApiError):
        return fault(document)
    if not isinstance(document, dict) or not is_name(document.get("patient_id")):
        return fault(ApiError("malformed", "The body must hold patient_id and tag_id."))
    cards = _cards(service, document.get("tag_id"))
    if isinstance(cards, ApiError):
        return fault(cards)
    now = service.clock()
    with service.store.write() as db:
        patient_id = patient_named(db, document["patient_id"])
        if patient_id is None:
            return fault(UNKNOWN_PATIENT)
        before = binding_of_card(db, cards)
        binding_id = bind(db, patient_id, cards, service.ids(), now)
        for concerned in {patient_id, before.patient_id if before else patient_id}:
            mark_changed(db, concerned)
        rejudge_card(db, judging_context(db, service.definitions, service.ids, now), cards, sender.who)
        note(db, sender.who, "bind", now, patient_id=patient_id, detail={"binding_id": binding_id})
    return reply({"binding_id": binding_id, "patient_id": patient_id}, 201)


def _cards(service: JourneyService, tag_id: object) -> tuple[CardHash, ...] | ApiError:
    if not isinstance(tag_id, str):
        return ApiError("malformed", "tag_id must be a text.")
    try:
        return service.keys.hashes(canonical_tag(tag_id))
    except ValueError as error:
        return ApiError("malformed", f"{error}.")


def _history(service: JourneyService, sender: Bearer, named: str) -> Response:
    with service.store.read() as db:
        patient_id = patient_named(db, named)
        if patient_id is None:
            return fault(UNKNOWN_PATIENT)
        rows = staff.history(db, read_site(db), patient_id)
    note_look(service, sender, "history", patient_id)
    return reply({"patient_id": patient_id, "transitions": rows})
