"""Patients' cards between real processes: lost, found, and bound with a case."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from kiosk.demo.hospital import command_of, hold_card, wait_for
from tests.whole.town import WAIT_S, Town

pytestmark = pytest.mark.processes

NEW_CARD = "04deadbeef0077"


def central(town: Town, *words: str) -> Any:
    """A command of the centre's machine, while the centre runs."""
    group, name, *rest = words
    line = [*command_of("kiosk-central"), group, name, "--database", town.places.database, *rest]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def the_binding(town: Town, patient_id: str) -> str:
    """The id of a patient's one binding in force."""
    (held,) = [
        each
        for each in json.loads(central(town, "bindings", "list", patient_id, "--json"))
        if each["state"] == "active"
    ]
    return str(held["binding_id"])


def await_screen(town: Town, screen: str, reason: str | None = None) -> None:
    wait_for(
        lambda: (town.screen()["screen"], town.screen()["reason"]) == (screen, reason), f"no {screen} screen", WAIT_S
    )


def test_a_lost_card_clears_the_screen_and_opens_nobody_with_or_without_the_network(standing_town: Town):
    town, person = standing_town, standing_town.people[0]
    town.tap(person)
    assert town.screen()["patient"]["patient_id"] == person.patient_id
    town.await_settled()
    binding_id = the_binding(town, person.patient_id)
    central(town, "bindings", "block", person.patient_id, binding_id, "--reason", "lost on the bus")
    await_screen(town, "attract")
    town.go_offline()
    town.tap(person)
    shown = town.screen()
    assert (shown["screen"], shown["reason"], shown["patient"]) == ("refused_card", "blocked_card", None)
    assert len(town.outbox()) == 1
    town.wire.mend()
    central(town, "bindings", "unblock", person.patient_id, binding_id, "--reason", "found")
    body = {"patient_id": person.patient_id, "tag_id": person.uid}
    bound = town.staff.post(f"{town.places.central_url}/api/v1/bindings/", json=body, timeout=30)
    assert bound.status_code == 201, bound.text

    def is_known_again() -> bool:
        town.tap(person)
        patient = town.screen()["patient"]
        return bool(patient and patient["patient_id"] == person.patient_id)

    wait_for(is_known_again, "the card never opened its holder again", WAIT_S)
    assert town.check()["ok"]


def test_the_card_of_a_case_is_known_at_the_next_tap_after_the_case_bound_it(standing_town: Town):
    town, person = standing_town, standing_town.people[1]
    hold_card(town.places, NEW_CARD)
    pressed = town.page.press(town.screen())
    assert pressed.ok, pressed.text
    wait_for(lambda: bool(town.cases()), "staff never got the case", WAIT_S)
    (case,) = town.cases()
    assert (case["code"], case["has_card"], case["may_bind"]) == ("unknown_card", True, True)
    central(town, "exceptions", "settle", case["exception_id"], "--reassign", person.patient_id, "--bind")

    def opens_the_patient() -> bool:
        hold_card(town.places, NEW_CARD)
        patient = town.screen()["patient"]
        return bool(patient and patient["patient_id"] == person.patient_id)

    wait_for(opens_the_patient, "the card never opened the patient", WAIT_S)
    assert town.state(person)["journey_state"] == "ARRIVED"
    assert town.cases() == []
