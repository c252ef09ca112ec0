"""A card for the desk, end to end: staff await it, the real daemon asks for it, a tap brings it, and staff bind it."""

from __future__ import annotations

from typing import Any

import pytest

from kiosk.demo.hospital import hold_card, wait_for
from sync.ids import new_id
from tests.commands import kiosk
from tests.whole.town import WAIT_S, Town

pytestmark = pytest.mark.processes
NEW = "04c0ffee77aa01"


class Desk:
    """The desk's calls."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.kiosk_id = self.call("GET", "").json()["kiosks"][0]["kiosk_id"]

    def call(self, method: str, path: str, **body: Any) -> Any:
        url = f"{self._town.places.central_url}/api/v1/desk/{path}"
        made = {"action_id": new_id(), **body} if method == "POST" else None
        return self._town.staff.request(method, url, json=made, timeout=30)

    def await_card(self) -> str:
        answer = self.call("POST", "cards/", kiosk_id=self.kiosk_id)
        assert answer.ok, answer.text
        return str(answer.json()["ask_id"])

    def look(self, ask_id: str) -> Any:
        return self.call("GET", f"cards/{ask_id}/").json()

    def until(self, ask_id: str, state: str) -> Any:
        wait_for(lambda: self.look(ask_id)["state"] == state, f"the card was never {state}", WAIT_S)
        return self.look(ask_id)


def test_the_next_card_is_the_desks_and_is_bound_by_staff_alone(standing_town: Town):
    town, desk = standing_town, Desk(standing_town)
    person = town.people[0]
    before = len(town.history(person))
    ask_id = desk.await_card()
    desk.until(ask_id, "shown")
    assert town.screen()["screen"] == "desk_card"
    hold_card(town.places, NEW)
    read = desk.until(ask_id, "read")
    assert (read["holder"], read["usable"]) == (None, True)
    wait_for(lambda: town.screen()["desk_card"] == "taken", "the screen never said so", WAIT_S)
    bound = desk.call("POST", f"cards/{ask_id}/bind/", patient_id=person.patient_id, label="new")
    assert bound.status_code == 201, bound.text
    assert len(town.history(person)) == before
    wait_for(lambda: town.screen()["screen"] == "attract", "the screen never became free", WAIT_S)

    def greets() -> bool:
        hold_card(town.places, NEW)
        patient = town.screen()["patient"]
        return patient is not None and patient["patient_id"] == person.patient_id

    wait_for(greets, "the new card never meant the patient", WAIT_S)


def test_the_card_of_a_patient_who_taps_by_mistake_is_discarded_and_checks_nobody_in(standing_town: Town):
    town, desk = standing_town, Desk(standing_town)
    person = town.people[1]
    wait_for(lambda: town.screen()["screen"] == "attract", "the screen never became free", 3 * WAIT_S)
    ask_id, before = desk.await_card(), len(town.outbox())
    desk.until(ask_id, "shown")
    town.tap(person)
    assert desk.until(ask_id, "read")["holder"]["patient_id"] == person.patient_id
    assert desk.call("POST", f"cards/{ask_id}/end/").json()["state"] == "discarded"
    assert town.state(person)["journey_state"] == "UNREGISTERED"
    assert len(town.outbox()) == before


def test_the_command_says_that_a_card_was_for_the_desk(standing_town: Town):
    town, desk = standing_town, Desk(standing_town)
    wait_for(lambda: town.screen()["screen"] == "attract", "the screen never became free", 3 * WAIT_S)
    ask_id = desk.await_card()
    desk.until(ask_id, "shown")
    tapped = kiosk("tap", "--config", str(town.places.config), NEW)
    assert (tapped.returncode, tapped.stdout) == (0, "read for the desk: nobody is checked in by it\n")
    desk.until(ask_id, "read")
    desk.call("POST", f"cards/{ask_id}/end/")


def test_staff_end_the_wait_and_the_screen_is_free(standing_town: Town):
    town, desk = standing_town, Desk(standing_town)
    wait_for(lambda: town.screen()["screen"] == "attract", "the screen never became free", 3 * WAIT_S)
    ask_id = desk.await_card()
    desk.until(ask_id, "shown")
    desk.call("POST", f"cards/{ask_id}/end/")
    wait_for(lambda: town.screen()["screen"] == "attract", "the wait never ended at the kiosk", WAIT_S)
