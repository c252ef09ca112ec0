"""A member of staff at the card desk, who asks the use cases as the web does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from sync.cards import CardHash, canonical_tag
from sync.central.desk.bind_read_card import BIND_READ, bind_read_card
from sync.central.desk.bookings import BOOK, CANCEL, MOVE, book_by_hand, cancel_booking, move_booking
from sync.central.desk.change_person import CHANGE, change_person
from sync.central.desk.next_card import AWAIT, END, await_card, end_card, look_at_card
from sync.central.desk.person import read_desk_person
from sync.central.desk.register_person import REGISTER, register_person
from sync.central.desk.walk_in import WALK_IN, walk_in
from sync.central.kiosks.desk_card import take_desk_card
from sync.central.kiosks.enrolment import enrol_kiosk
from sync.central.records.kiosks import note_contact
from sync.central.services.answers import Answer
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.told import Told
from sync.ids import new_id
from sync.journey.model import STAFF
from sync.protocol import (
    PROTOCOL_VERSION,
    CallRefused,
    DeskCardAnswer,
    DeskCardRequest,
    DeskWord,
    Enrolment,
    EnrolRequest,
)
from tests.sync.central.centre import Centre

KIM = Requester(STAFF, "staff:kim", "desk")
LEE = Requester(STAFF, "staff:lee", "desk")


def value(answer: Answer) -> dict[str, Any]:
    """The value of an answer, or its error."""
    return dict(msgspec.json.decode(answer.body))


@dataclass
class Desk:
    """The desk of one centre."""

    centre: Centre
    who: Requester = KIM

    def register(self, action_id: str | None = None, **payload: Any) -> dict[str, Any]:
        return value(register_person(self.centre.parts, self.who, self._request(REGISTER, payload, action_id)))

    def change(self, patient_id: str, **payload: Any) -> dict[str, Any]:
        return value(change_person(self.centre.parts, self.who, patient_id, self._request(CHANGE, payload)))

    def walk_in(self, patient_id: str, action_id: str | None = None, **payload: Any) -> dict[str, Any]:
        return value(walk_in(self.centre.parts, self.who, patient_id, self._request(WALK_IN, payload, action_id)))

    def book(self, patient_id: str, **payload: Any) -> dict[str, Any]:
        return value(book_by_hand(self.centre.parts, self.who, patient_id, self._request(BOOK, payload)))

    def move(self, appointment_id: str, **payload: Any) -> dict[str, Any]:
        return value(move_booking(self.centre.parts, self.who, appointment_id, self._request(MOVE, payload)))

    def cancel(self, appointment_id: str, **payload: Any) -> dict[str, Any]:
        return value(cancel_booking(self.centre.parts, self.who, appointment_id, self._request(CANCEL, payload)))

    def person(self, patient_id: str) -> dict[str, Any]:
        found = read_desk_person(self.centre.parts, patient_id)
        assert isinstance(found, Told)
        return dict(msgspec.json.decode(msgspec.json.encode(found.value)))

    def await_card(self, kiosk_id: str) -> dict[str, Any]:
        return value(await_card(self.centre.parts, self.who, self._request(AWAIT, {"kiosk_id": kiosk_id})))

    def look(self, ask_id: str) -> dict[str, Any]:
        found = look_at_card(self.centre.parts, ask_id)
        assert isinstance(found, Told)
        return dict(msgspec.json.decode(msgspec.json.encode(found.value)))

    def end(self, ask_id: str) -> dict[str, Any]:
        return value(end_card(self.centre.parts, self.who, ask_id, self._request(END, {})))

    def bind(self, ask_id: str, patient_id: str, action_id: str | None = None, **payload: Any) -> dict[str, Any]:
        request = self._request(BIND_READ, {"patient_id": patient_id, **payload}, action_id)
        return value(bind_read_card(self.centre.parts, self.who, ask_id, request))

    def _request(self, action_type: str, payload: dict[str, Any], action_id: str | None = None) -> ActionRequest:
        return ActionRequest(action_type, action_id or new_id(), payload)


@dataclass
class DeskKiosk:
    """An enrolled kiosk that tells the centre of cards."""

    centre: Centre

    def __post_init__(self) -> None:
        code = self.centre.do("enroll-code")["code"]
        made = enrol_kiosk(self.centre.parts, EnrolRequest(code=code), "192.0.2.1")
        assert isinstance(made, Enrolment)
        self.kiosk_id, self.site_id = made.kiosk_id, made.site_id
        self.call()

    def call(self) -> None:
        """The kiosk calls the centre."""
        with self.centre.store.write() as db:
            note_contact(db, self.kiosk_id, self.centre.clock())

    def say(self, word: DeskWord, ask_id: str = "", **more: Any) -> bool:
        answer = self.tell(word, ask_id, **more)
        assert isinstance(answer, DeskCardAnswer), answer
        return answer.counts

    def tell(self, word: DeskWord, ask_id: str = "", **more: Any) -> DeskCardAnswer | CallRefused:
        request = DeskCardRequest(
            protocol_version=PROTOCOL_VERSION,
            site_id=self.site_id,
            kiosk_id=self.kiosk_id,
            word=word,
            ask_id=ask_id,
            **more,
        )
        return take_desk_card(self.centre.parts, self.kiosk_id, request)

    def hold(self, ask_id: str, uid: str, **more: Any) -> bool:
        return self.say(DeskWord.CARD, ask_id, card=self.hashed(uid), **more)

    def hashed(self, uid: str) -> CardHash:
        return self.centre.parts.keys.published.hashes(canonical_tag(uid))[0]
