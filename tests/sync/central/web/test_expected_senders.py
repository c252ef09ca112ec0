"""A sender who has acted lately is expected again: the action itself confirms the token, in its own transaction."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from sync.central.records.known_bearers import MOST_KNOWN, KnownBearers
from sync.central.records.tokens import Bearer, hash_of, revoke
from sync.central.services.access_log import write_tallies
from sync.central.services.merge import merge_patients
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.clock import DAY_MS
from sync.ids import new_id
from sync.journey.model import STAFF, Role
from tests.sync.central.centre import Centre, patient
from tests.sync.central.statements import PERFORM

PEOPLE = [Role.STAFF, Role.PATIENT]


class Sender:
    """A sender whose token the centre has seen lately."""

    def __init__(self, centre: Centre, role: Role, **more: Any) -> None:
        self.centre = centre
        self.token = centre.token(role, patient(1) if role is Role.PATIENT else None, **more)
        self._client = create_app(centre.parts, SocketPlaces(1)).test_client()
        for action in ("scan_nfc", "register"):
            assert self.perform(action).status_code == 200
        assert centre.parts.bearers.get(hash_of(self.token)) is not None

    def perform(self, action: str, patient_id: str = "P01", body: dict[str, Any] | None = None) -> Any:
        made = {"action_type": action, "action_id": new_id(), "payload": {"patient_id": patient_id}}
        headers = {"Authorization": f"Bearer {self.token}"}
        return self._client.post(PERFORM, json=body or made, headers=headers)

    def refusals(self) -> list[tuple[str, int]]:
        write_tallies(self.centre.parts)
        rows = self.centre.rows("select kind, detail from audit where kind like 'refused:%'")
        return [(row["kind"], json.loads(row["detail"])["count"]) for row in rows]


@pytest.fixture(params=PEOPLE)
def sender(request: pytest.FixtureRequest, centre: Centre) -> Sender:
    return Sender(centre, request.param, expires_ms=centre.clock() + DAY_MS // 2)


def revoked(sender: Sender) -> None:
    with sender.centre.store.write() as db:
        revoke(db, hash_of(sender.token), sender.centre.clock())


def expired(sender: Sender) -> None:
    sender.centre.clock.now_ms += DAY_MS // 2


@pytest.mark.parametrize(("end", "kind"), [(revoked, "refused:revoked-token"), (expired, "refused:expired-token")])
def test_a_token_that_has_ended_since_does_nothing_and_learns_nothing(sender: Sender, end: Any, kind: str):
    end(sender)
    answers = [sender.perform("", body={"payload": 1}), sender.perform("confirm_arrival")]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(401, "unauthorized")] * 2
    assert not any(answer.json["available_actions"] or answer.json["journey_state"] for answer in answers)
    assert sender.refusals() == [(kind, 2)]
    states = sender.centre.rows("select state from journeys where patient_id = 'P01'")
    assert states == [{"state": "REGISTERED"}]


def test_a_patient_whose_record_was_merged_acts_for_the_other_record(centre: Centre):
    sender = Sender(centre, Role.PATIENT)
    request = ActionRequest("merge", new_id(), {"patient_id": patient(1), "reason": "one person"})
    assert merge_patients(centre.parts, Requester(STAFF, "staff", "desk"), patient(2), request).done
    assert sender.perform("confirm_arrival").status_code == 200
    assert centre.state(patient(2))["journey_state"] == "WAITING"


def test_a_patient_is_refused_under_another_name(centre: Centre):
    answer = Sender(centre, Role.PATIENT).perform("confirm_arrival", patient(2))
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_a_token_of_another_role_is_not_expected(centre: Centre):
    sender = Sender(centre, Role.STAFF)
    known = centre.parts.bearers.get(hash_of(sender.token))
    assert known is not None
    with centre.store.write() as db:
        db.execute("update tokens set role = 'kiosk' where token_hash = :hash", {"hash": known.token_hash})
    assert sender.perform("confirm_arrival").status_code == 403
    centre.parts.bearers.remember(replace(known, role=Role.KIOSK))
    assert sender.perform("confirm_arrival").status_code == 403


def test_the_use_of_a_token_is_noted_again_after_a_day(centre: Centre):
    sender = Sender(centre, Role.STAFF)
    centre.clock.now_ms += DAY_MS
    assert sender.perform("scan_nfc", patient(2)).status_code == 200
    (token,) = centre.rows("select used_ms from tokens")
    assert token["used_ms"] == centre.clock()


def test_so_many_bearers_are_remembered():
    bearers = KnownBearers()
    for number in range(MOST_KNOWN + 1):
        bearers.remember(Bearer(Role.STAFF, str(number)))
    assert (bearers.get("0"), bearers.get("1")) == (None, Bearer(Role.STAFF, "1"))
