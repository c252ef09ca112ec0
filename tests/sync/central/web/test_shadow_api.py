"""The words of the hospital's other system over the network, and what its token opens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.online import API, Online

SHADOW = f"{API}/shadow/"


@pytest.fixture
def old_system(online: Online) -> Iterator[str]:
    """The token of the other system, which decides registrations meanwhile."""
    online.centre.do("site", decides=["register=legacy"])
    yield online.centre.token(Role.INTEGRATION, name="old")
    online.centre.do("site", decides=["register=new"])


def word(online: Online, patient_id: str, before: str, after: str) -> dict[str, Any]:
    made = {"word_id": new_id(), "patient_id": patient_id, "action_type": "register", "from": before, "to": after}
    return {**made, "at": online.centre.clock()}


def test_the_token_of_another_system_acts_for_nobody_but_by_its_words(online: Online, old_system: str):
    anna = online.newcomer()
    for method, path in (
        ("GET", f"{API}/patient-journey/current-state/?patient_id={anna}"),
        ("POST", f"{API}/patient-journey/perform-action/"),
        ("GET", f"{API}/queue/"),
        ("GET", f"{API}/exceptions/"),
        ("POST", f"{API}/sync/pull"),
    ):
        assert online.call(method, path, old_system, json={} if method == "POST" else None).status_code in (401, 403)
    for token in (None, online.staff, online.own_token(anna)):
        refused = online.call("POST", SHADOW, token, json=word(online, anna, "ARRIVED", "REGISTERED"))
        assert refused.status_code in (401, 403)


def test_an_app_is_refused_what_the_other_system_decides_over_both_channels(online: Online, old_system: str):
    anna = online.newcomer()
    token = online.own_token(anna)
    assert online.act(token, "scan_nfc").json()["available_actions"] == []
    refused = online.act(token, "register")
    assert (refused.status_code, refused.json()["code"]) == (409, "decided_elsewhere")
    assert refused.json()["journey_state"] == "ARRIVED"
    with online.socket(token) as socket:
        assert socket.next()["payload"]["available_actions"] == []
        socket.send({"command": "perform_action", "action_type": "register", "action_id": new_id()})
        result = socket.until("action_result")
        assert (result["success"], result["code"]) == (False, "decided_elsewhere")
        taken = online.call("POST", SHADOW, old_system, json=word(online, anna, "ARRIVED", "REGISTERED"))
        assert taken.json()["outcome"] == "followed"
        assert socket.until("state_update")["payload"]["journey_state"] == "REGISTERED"


def test_a_word_tells_nothing_of_the_patient_and_leaves_no_look(online: Online, old_system: str):
    anna = online.newcomer()
    told = word(online, anna, "ARRIVED", "REGISTERED")
    answer = online.call("POST", SHADOW, old_system, json=told)
    assert answer.json() == {"word_id": told["word_id"], "outcome": "corrected", "drifted": True}
    assert online.centre.rows("select * from audit where kind like 'look:%' and who like 'integration%'") == []
    (row,) = online.centre.rows("select who, kind from audit where action_id = :id", id=told["word_id"])
    assert row["kind"] == "word-corrected"
    assert row["who"].startswith("integration:old")
