"""Requests of the card desk about patients over REST: find, register, change, walk-in, bookings, ticket, preview."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from flask import Blueprint
from msgspec import Meta

from sync.central.centre import Centre
from sync.central.desk.bookings import BOOK, CANCEL, MOVE, BookedByHand, book_by_hand, cancel_booking, move_booking
from sync.central.desk.change_person import CHANGE, ChangedPerson, change_person
from sync.central.desk.find_person import FoundPeople, find_doubles, find_person
from sync.central.desk.frame import DeskFrame, read_frame
from sync.central.desk.merge_preview import MergePreview, preview_merge
from sync.central.desk.person import DeskPerson, read_desk_person
from sync.central.desk.register_person import REGISTER, RegisteredPerson, register_person
from sync.central.desk.ticket import TicketCopy, copy_ticket
from sync.central.desk.walk_in import WALK_IN, InLine, walk_in
from sync.central.records.duties import Duty
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bodies import ActionBody, Body, Name, Reason, members, read_members
from sync.central.services.errors import ApiError
from sync.central.services.requests import ActionRequest
from sync.central.services.told import AboutNobody, Told
from sync.central.web.contract import BY_THE_RULES, OF_AN_ACTION
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import Role

_MOST_DOUBLES = 20
_Text = Annotated[str, Meta(max_length=200)]


class FindPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A search for a patient: words of a name, an id, a queue number of today, a birth date."""

    q: Annotated[str, Meta(min_length=1, max_length=200)]


class FindDoubles(msgspec.Struct, frozen=True, kw_only=True):
    """The person who is about to be registered."""

    name: Name
    birth_date: _Text | None = None
    patient_id: Name | None = None


class RegisterPerson(ActionBody, frozen=True, kw_only=True):
    """A patient to register. Without a `patient_id` the centre makes an id that no hospital number has.

    `seen_doubles` are the records that the sender has looked at and that are of other people. With `walk_in` the
    patient gets into the line of `exam_id`, or of the desk.
    """

    name: Name
    patient_id: Name | None = None
    birth_date: _Text | None = None
    language: _Text | None = None
    seen_doubles: Annotated[tuple[Name, ...], Meta(max_length=_MOST_DOUBLES)] = ()
    walk_in: bool = False
    exam_id: Name | None = None


class ChangeDetails(ActionBody, frozen=True, kw_only=True):
    """What changes of a patient. A member that is left out stays; an empty birth date is removed."""

    name: Name | None = None
    birth_date: _Text | None = None
    language: _Text | None = None


class WalkIn(ActionBody, frozen=True, kw_only=True):
    """The exam in whose line the patient gets; the desk without one."""

    exam_id: Name | None = None


class BookByHand(ActionBody, frozen=True, kw_only=True):
    """A booking. `scheduled_at` is ISO 8601: a date, a local time of the site, or a time with its offset."""

    exam_id: Name
    scheduled_at: Name


class MoveBooking(ActionBody, frozen=True, kw_only=True):
    """The new exam or the new time of a booking, or both."""

    exam_id: Name | None = None
    scheduled_at: Name | None = None
    reason: Reason = ""


class CancelBooking(ActionBody, frozen=True, kw_only=True):
    """Why a booking is cancelled."""

    reason: Reason = ""


class CopyTicket(msgspec.Struct, frozen=True, kw_only=True):
    """The queue entry whose ticket is copied."""

    queue_id: Name


class PreviewMerge(msgspec.Struct, frozen=True, kw_only=True):
    """The record that stays, and the one that would be merged into it."""

    kept: Name
    gone: Name


def desk_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/desk/ about patients, for reception."""
    api = Blueprint("desk", __name__, url_prefix="/api/v1/desk")
    _add_looks(api, centre, endpoints)
    _add_people(api, centre, endpoints)
    _add_bookings(api, centre, endpoints)
    return api


def _add_looks(api: Blueprint, centre: Centre, endpoints: Endpoints) -> None:
    @api.get("/")
    @endpoints.endpoint("Read exams, languages and kiosks for the desk", DeskFrame, Role.STAFF, duty=Duty.RECEPTION)
    def frame(_: Bearer) -> AboutNobody:
        return read_frame(centre)

    @api.post("/find/")
    @endpoints.endpoint("Find a patient", FoundPeople, Role.STAFF, duty=Duty.RECEPTION, body=_plain(FindPerson))
    def find(_: Bearer, wanted: FindPerson) -> Told:
        return find_person(centre, wanted.q)

    @api.post("/doubles/")
    @endpoints.endpoint(
        "Find the records that may be of a person",
        FoundPeople,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=_plain(FindDoubles),
    )
    def doubles(_: Bearer, wanted: FindDoubles) -> Told:
        return find_doubles(centre, wanted.name, wanted.birth_date or None, wanted.patient_id)

    @api.get("/patients/<patient_id>/")
    @endpoints.endpoint(
        "Read a patient's record", DeskPerson, Role.STAFF, duty=Duty.RECEPTION, refuses=("unknown_patient",)
    )
    def person(_: Bearer, patient_id: str) -> Told | ApiError:
        return read_desk_person(centre, patient_id)

    @api.post("/tickets/")
    @endpoints.endpoint(
        "Copy a queue ticket",
        TicketCopy,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=_plain(CopyTicket),
        refuses=("not_found", "not_allowed"),
    )
    def ticket(sender: Bearer, wanted: CopyTicket) -> Told | ApiError:
        return copy_ticket(centre, requester_of(sender, "desk"), wanted.queue_id)

    @api.post("/merge-preview/")
    @endpoints.endpoint(
        "Show two records and their merge",
        MergePreview,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=_plain(PreviewMerge),
        refuses=("unknown_patient", "same_patient"),
    )
    def preview(_: Bearer, wanted: PreviewMerge) -> Told | ApiError:
        return preview_merge(centre, wanted.kept, wanted.gone)


def _add_people(api: Blueprint, centre: Centre, endpoints: Endpoints) -> None:
    @api.post("/patients/")
    @endpoints.endpoint(
        "Register a patient",
        RegisteredPerson,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action(REGISTER, members(RegisterPerson)),
        status=HTTPStatus.CREATED,
        refuses=("possible_double", "patient_exists", "decided_elsewhere", "not_found", *OF_AN_ACTION, *BY_THE_RULES),
    )
    def register(sender: Bearer, wanted: ActionRequest) -> Answer:
        return _created(register_person(centre, requester_of(sender, "desk"), wanted))

    @api.post("/patients/<patient_id>/change/")
    @endpoints.endpoint(
        "Change a patient's name, birth date or language",
        ChangedPerson,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action(CHANGE, members(ChangeDetails)),
        refuses=("unknown_patient", *OF_AN_ACTION),
    )
    def change(sender: Bearer, wanted: ActionRequest, patient_id: str) -> Answer:
        return change_person(centre, requester_of(sender, "desk"), patient_id, wanted)

    @api.post("/patients/<patient_id>/walk-in/")
    @endpoints.endpoint(
        "Put a patient into a line",
        InLine,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action(WALK_IN, members(WalkIn)),
        refuses=("unknown_patient", "decided_elsewhere", "not_found", *OF_AN_ACTION, *BY_THE_RULES),
    )
    def into_line(sender: Bearer, wanted: ActionRequest, patient_id: str) -> Answer:
        return walk_in(centre, requester_of(sender, "desk"), patient_id, wanted)


def _add_bookings(api: Blueprint, centre: Centre, endpoints: Endpoints) -> None:
    @api.post("/patients/<patient_id>/bookings/")
    @endpoints.endpoint(
        "Book a patient by hand",
        BookedByHand,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action(BOOK, members(BookByHand)),
        status=HTTPStatus.CREATED,
        refuses=("unknown_patient", "not_found", "not_allowed", *OF_AN_ACTION),
    )
    def book(sender: Bearer, wanted: ActionRequest, patient_id: str) -> Answer:
        return _created(book_by_hand(centre, requester_of(sender, "desk"), patient_id, wanted))

    @api.post("/bookings/<appointment_id>/move/")
    @endpoints.endpoint(
        "Move a booking",
        BookedByHand,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action(MOVE, members(MoveBooking)),
        refuses=("not_found", "not_allowed", *OF_AN_ACTION),
    )
    def move(sender: Bearer, wanted: ActionRequest, appointment_id: str) -> Answer:
        return move_booking(centre, requester_of(sender, "desk"), appointment_id, wanted)

    @api.post("/bookings/<appointment_id>/cancel/")
    @endpoints.endpoint(
        "Cancel a booking",
        BookedByHand,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action(CANCEL, members(CancelBooking)),
        refuses=("not_found", "not_allowed", *OF_AN_ACTION),
    )
    def cancel(sender: Bearer, wanted: ActionRequest, appointment_id: str) -> Answer:
        return cancel_booking(centre, requester_of(sender, "desk"), appointment_id, wanted)


def _created(answer: Answer) -> Answer:
    return msgspec.structs.replace(answer, status=HTTPStatus.CREATED) if answer.done else answer


def _plain(kind: type[msgspec.Struct]) -> Body:
    """A body that is no action."""
    return Body(kind, lambda document: read_members(kind, document, {}))
