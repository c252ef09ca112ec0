"""A rogue kiosk with a valid token acts beside an honest one. One command ends it and takes back all that it did."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kiosk.demo import hospital
from kiosk.demo.hospital import Person, wait_for
from tests.commands import central_command
from tests.protocol.second_client import Refused
from tests.sync.central.online import Socket, WholeClient
from tests.whole.other_kiosk import OtherKiosk
from tests.whole.town import WAIT_S, Town

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("undo")]

REASON = "a stolen box"
MANY = 120


def order(rogue: OtherKiosk) -> list[str]:
    return [rogue.who["kiosk_id"], "--since", "2026-01-01", "--reason", REASON, "--revoke"]


def undo(town: Town, rogue: OtherKiosk, *words: str) -> dict[str, Any]:
    text = central_command(town.places, "kiosks undo", *order(rogue), "--json", *words)
    found: dict[str, Any] = json.loads(text)
    return found


def undone(town: Town, rogue: OtherKiosk, *words: str) -> dict[str, int]:
    """The counts of the command, without those of acts that changed nothing."""
    found = undo(town, rogue, *words)
    return {name: number for name, number in found.items() if name.startswith(("patients", "cases", "acts_taken"))}


def await_state_at_kiosk(town: Town, person: Person, state: str) -> None:
    """Waits until the honest kiosk has the journey in this state."""

    def is_there() -> bool:
        with closing(sqlite3.connect(town.places.directory / "kiosk.db")) as db:
            query = "select view ->> '$.state' from patients where patient_id = ?"
            return bool(db.execute(query, (person.patient_id,)).fetchone() == (state,))

    wait_for(is_there, f"the kiosk never had {person.patient_id} as {state}", WAIT_S)


def app_of(town: Town, person: Person) -> Socket:
    """The socket of a patient's app."""
    token = town.token("patient", "--patient", person.patient_id)
    url = town.places.central_url.replace("http:", "ws:")
    return Socket(WholeClient(f"{url}/ws/patient-journey/", headers={"Authorization": f"Bearer {token}"}))


def test_a_rogue_kiosk_is_ended_and_undone_in_one_command_and_the_honest_one_shows_it(town: Town):
    alone, shared = town.people[:4], town.people[4]
    honest = town.people[5]
    rogue = OtherKiosk(town)
    town.check_in(honest)
    for person in alone:
        rogue.check_in(person)
    rogue.check_in(shared, most=1)
    rogue.push_all()
    app = app_of(town, alone[0])
    assert app.until("initial_state")["payload"]["journey_state"] == "WAITING"
    town.by_hand(shared, "register")
    wanted = {"patients_put_back": 4, "acts_taken_back": 12, "cases_opened": 1}
    assert undone(town, rogue, "--dry-run") == wanted
    assert {town.state(person)["journey_state"] for person in alone} == {"WAITING"}
    assert undone(town, rogue) == wanted

    told = app.until("state_update")["payload"]
    assert (told["journey_state"], told["queue_details"]) == ("UNREGISTERED", [])
    assert {each["status"] for each in told["appointments"]} == {"booked"}
    app.client.close()
    with pytest.raises(Refused):
        rogue.page()
    (case,) = [case for case in town.cases() if case["patient_id"] == shared.patient_id]
    assert (case["code"], case["detail"]["why"]) == ("not_taken_back", ["others_acted"])
    assert town.state(shared)["journey_state"] == "REGISTERED"
    assert town.state(honest)["journey_state"] == "WAITING"
    assert town.check()["ok"]
    last = town.history(alone[0])[-1]
    assert (last["action"], last["to_state"], last["source"]) == ("take_back", "UNREGISTERED", "desk")

    # The honest kiosk has the patients as they were, and checks them in with a number of its own.
    for person in alone:
        await_state_at_kiosk(town, person, "UNREGISTERED")
    for person in alone[:2]:
        screen = town.check_in(person)
        assert "B-" in json.dumps(screen, ensure_ascii=False)
    town.await_settled()
    assert {town.state(person)["journey_state"] for person in alone[:2]} == {"WAITING"}

    assert undone(town, rogue) == {"cases_to_decide": 1}
    assert town.check()["ok"]


def test_what_was_done_at_the_honest_kiosk_in_a_visit_of_the_rogue_one_is_for_staff(town: Town):
    person = town.people[0]
    rogue = OtherKiosk(town)
    rogue.check_in(person, most=1)
    rogue.push_all()
    await_state_at_kiosk(town, person, "ARRIVED")
    town.go_offline()
    town.tap(person)
    assert town.press(person, "register").ok
    assert undone(town, rogue) == {"patients_put_back": 1, "acts_taken_back": 1}
    town.wire.mend()
    town.await_settled()
    (case,) = [case for case in town.cases() if case["patient_id"] == person.patient_id]
    assert case["code"] == "corrected"
    assert town.state(person)["journey_state"] == "UNREGISTERED"
    assert town.check()["ok"]


@pytest.fixture
def crowded(tmp_path: Path) -> Town:
    """A hospital in which many patients come today, without a kiosk that runs."""
    return Town(tmp_path)


def fill(town: Town) -> list[Person]:
    """Imports many patients with a card and a booking of today each."""
    today = OtherKiosk(town).today()
    exam = town.state(town.people[0])["appointments"][0]["exam_id"]
    people = [Person(f"Z-{number:03d}", f"04aabb{number:08x}", "", True) for number in range(MANY)]
    document = {
        "patients": [{"patient_id": p.patient_id, "name": "Sample", "cards": [p.uid]} for p in people],
        "appointments": [
            {"appointment_id": p.patient_id, "patient_id": p.patient_id, "exam_id": exam, "scheduled_at": today}
            for p in people
        ],
    }
    file = town.places.directory / "many.json"
    file.write_text(json.dumps(document), "utf-8")
    central_command(town.places, "import", str(file))
    return people


def test_an_order_whose_command_and_service_are_killed_in_the_middle_goes_on_and_does_nothing_twice(crowded: Town):
    town = crowded
    try:
        people = fill(town)
        rogue = OtherKiosk(town)
        for person in people:
            rogue.check_in(person)
        rogue.push_all()
        command = [*hospital.command_of("kiosk-central"), "kiosks", "undo", "--database", town.places.database]
        with subprocess.Popen([*command, *order(rogue)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as running:
            assert running.stderr is not None
            assert b"results so far" in running.stderr.readline()
            town.central.kill()
            running.kill()
        town.start_central()
        left = [person for person in people if town.state(person)["journey_state"] == "WAITING"]
        assert 0 < len(left) < MANY
        assert undone(town, rogue) == {"patients_put_back": len(left), "acts_taken_back": 3 * len(left)}
        for person in people:
            actions = [row["action"] for row in town.history(person)]
            assert (actions.count("take_back"), actions[-1]) == (1, "take_back")
        wait_for(lambda: town.check()["ok"], "the centre is not well", WAIT_S)
    finally:
        town.close()
