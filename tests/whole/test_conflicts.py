"""The conflicts of one outage between real processes, with the decisions of staff; and a restore."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
import requests

from kiosk.demo.hospital import command_of, hold_card, wait_for
from tests.whole.town import WAIT_S, Town

pytestmark = pytest.mark.processes


def central(town: Town, *words: str) -> str:
    """A command of the centre's machine, while the centre runs."""
    group, name, *rest = words
    line = [*command_of("kiosk-central"), group, name, "--database", town.places.database, *rest]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def post(town: Town, path: str, **body: Any) -> requests.Response:
    answer = town.staff.post(f"{town.places.central_url}/api/v1/{path}", json=body, timeout=30)
    assert answer.ok, answer.text
    return answer


def verdicts(town: Town) -> dict[str, list[str]]:
    """Each patient's codes, in the order of the actions."""
    found: dict[str, list[str]] = {}
    for row in town.outbox():
        found.setdefault(row["patient_id"], []).append(row["code"])
    return found


def check_in_unknown(town: Town, uid: str) -> None:
    hold_card(town.places, uid)
    pressed = town.page.press(town.screen())
    assert pressed.ok, pressed.text


def test_every_conflict_of_an_outage_ends_as_the_table_says(town: Town):
    elsewhere, called, rebound, corrected, merged, holder = town.people[:6]
    stranger = town.unbooked[0] if town.unbooked else town.people[6]
    town.tap(corrected)
    assert town.press(corrected, "register").ok
    town.await_settled()
    town.go_offline()

    assert town.press(corrected, "confirm_arrival").ok
    for person in (elsewhere, called, rebound, merged):
        town.check_in(person)
    check_in_unknown(town, "04deadbeef0099")
    entrance = ("scan_nfc", "register", "confirm_arrival")
    town.by_hand(elsewhere, *entrance)
    town.by_hand(called, *entrance, "call_patient")
    post(town, "bindings/", patient_id=holder.patient_id, tag_id=rebound.uid)
    town.correct(corrected, "ARRIVED", "the wrong person")
    post(town, f"patients/{holder.patient_id}/merge/", patient_id=merged.patient_id)

    town.wire.mend()
    town.await_settled()
    found = verdicts(town)
    assert found[elsewhere.patient_id] == ["visit_alias", "already_so", "already_so"]
    assert found[called.patient_id] == ["visit_alias", "already_so", "moved_on"]
    assert found[rebound.patient_id] == ["rebound", "depends", "depends"]
    assert found[corrected.patient_id] == ["ok", "ok", "corrected"]
    assert found[holder.patient_id] == ["ok", "ok", "ok"], "the merged record's actions are this patient's"
    assert merged.patient_id not in found
    assert town.state(holder)["journey_state"] == "WAITING" == town.state(merged)["journey_state"]
    assert town.state(rebound)["journey_state"] == "UNREGISTERED"

    cases = json.loads(central(town, "exceptions", "list", "--json"))
    assert sorted(case["code"] for case in cases) == ["rebound", "unknown_card"]
    which = {case["code"]: case["exception_id"] for case in cases}
    assert "kiosk showed" in central(town, "exceptions", "show", which["rebound"])
    central(town, "exceptions", "settle", which["unknown_card"], "--reassign", stranger.patient_id)
    central(town, "exceptions", "settle", which["rebound"], "--discard", "--reason", "sent home")
    wait_for(
        lambda: verdicts(town)[rebound.patient_id] == ["discarded"] * 3, "the kiosk never got the verdicts", WAIT_S
    )
    wait_for(lambda: verdicts(town).get(stranger.patient_id) == ["ok"], "the kiosk never got the verdicts", WAIT_S)
    assert town.state(stranger)["journey_state"] == "ARRIVED"
    town.tap(called)
    assert town.screen()["ticket"]["called"]
    assert town.check()["ok"]


def test_what_a_backup_misses_is_sent_again_after_a_restore(town: Town):
    before, after = town.people[:2]
    town.check_in(before)
    town.await_settled()
    backup = town.places.directory / "backup.db"
    line = [*command_of("kiosk-central"), "backup", "--database", town.places.database, str(backup)]
    subprocess.run(line, check=True, capture_output=True)
    town.check_in(after)
    town.await_settled()
    town.central.kill()
    town.put_back(backup)
    town.start_central()
    wait_for(
        lambda: town.state(after)["journey_state"] == "WAITING", "the action never reached the centre again", 2 * WAIT_S
    )
    town.await_settled()
    for person in (before, after):
        assert [row["action"] for row in town.history(person)] == ["scan_nfc", "register", "confirm_arrival"]
    assert {row["code"] for row in town.outbox()} == {"ok"}
    assert town.check()["ok"]
