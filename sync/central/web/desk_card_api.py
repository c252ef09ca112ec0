"""Requests of the card desk about a card that is held to a kiosk: await it, look at it, bind it, discard it."""

from http import HTTPStatus

import msgspec
from flask import Blueprint

from sync.central.centre import Centre
from sync.central.desk.bind_read_card import BIND_READ, BoundReadCard, bind_read_card
from sync.central.desk.next_card import (
    AWAIT,
    END,
    AwaitedCard,
    CardAtDesk,
    EndedCard,
    ReadCards,
    await_card,
    end_card,
    look_at_card,
    read_cards,
)
from sync.central.records.duties import Duty
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bodies import ActionBody, Label, Name, Reason, members
from sync.central.services.errors import ApiError
from sync.central.services.requests import ActionRequest
from sync.central.services.told import Told
from sync.central.web.contract import OF_AN_ACTION
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import Role


class AwaitCard(ActionBody, frozen=True, kw_only=True):
    """The kiosk that is to ask for a card."""

    kiosk_id: Name


class EndCard(ActionBody, frozen=True, kw_only=True):
    """The end of a wait, or of the use of a card that was read."""


class BindReadCard(ActionBody, frozen=True, kw_only=True):
    """Whose the card becomes. `seen_holder` is the patient who holds it on the sender's screen, null for nobody.

    `replaces` is the patient's binding that ends by it, and `block` blocks the replaced card too, for the `reason`.
    """

    patient_id: Name
    label: Label = ""
    seen_holder: Name | None = None
    replaces: Name | None = None
    block: bool = False
    reason: Reason = ""


class OfKiosk(msgspec.Struct, frozen=True, kw_only=True):
    """The kiosk whose cards are listed."""

    kiosk_id: Name


def desk_card_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/desk/cards/, for reception."""
    api = Blueprint("desk_cards", __name__, url_prefix="/api/v1/desk/cards")

    @api.get("/")
    @endpoints.endpoint(
        "List the cards that a kiosk has read for the desk",
        ReadCards,
        Role.STAFF,
        duty=Duty.RECEPTION,
        query=OfKiosk,
        refuses=("not_found",),
    )
    def cards(_: Bearer, wanted: OfKiosk) -> Told | ApiError:
        return read_cards(centre, wanted.kiosk_id)

    @api.post("/")
    @endpoints.endpoint(
        "Await the next card at a kiosk",
        AwaitedCard,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action(AWAIT, members(AwaitCard)),
        status=HTTPStatus.CREATED,
        refuses=("not_found", "kiosk_away", "kiosk_taken", *OF_AN_ACTION),
    )
    def ask(sender: Bearer, wanted: ActionRequest) -> Answer:
        answer = await_card(centre, requester_of(sender, "desk"), wanted)
        return msgspec.structs.replace(answer, status=HTTPStatus.CREATED) if answer.done else answer

    @api.get("/<ask_id>/")
    @endpoints.endpoint(
        "Look at a card for the desk", CardAtDesk, Role.STAFF, duty=Duty.RECEPTION, refuses=("not_found",)
    )
    def look(_: Bearer, ask_id: str) -> Told | ApiError:
        return look_at_card(centre, ask_id)

    @api.post("/<ask_id>/end/")
    @endpoints.endpoint(
        "Cancel the wait for a card, or discard the card",
        EndedCard,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action(END, members(EndCard)),
        refuses=("not_found", *OF_AN_ACTION),
    )
    def end(sender: Bearer, wanted: ActionRequest, ask_id: str) -> Answer:
        return end_card(centre, requester_of(sender, "desk"), ask_id, wanted)

    @api.post("/<ask_id>/bind/")
    @endpoints.endpoint(
        "Bind a card that was read",
        BoundReadCard,
        Role.STAFF,
        duty=Duty.RECEPTION,
        body=endpoints.action(BIND_READ, members(BindReadCard)),
        status=HTTPStatus.CREATED,
        refuses=(
            *("unknown_patient", "not_found", "not_allowed", "no_card_read", "card_blocked", "unusable_card"),
            *("changed_meanwhile", *OF_AN_ACTION),
        ),
    )
    def bind(sender: Bearer, wanted: ActionRequest, ask_id: str) -> Answer:
        answer = bind_read_card(centre, requester_of(sender, "desk"), ask_id, wanted)
        return msgspec.structs.replace(answer, status=HTTPStatus.CREATED) if answer.done else answer

    return api
