"""The statements that requests cost at the centre, as SQLite itself reports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sync.central.store.sqlite import SqliteStore
from sync.central.web.app import create_app
from sync.central.web.socket_places import SocketPlaces
from sync.ids import new_id
from sync.journey.model import Role
from tests.sync.central.centre import Centre, card, patient

PERFORM = "/api/v1/patient-journey/perform-action/"
MOST = 10  # of an action

# The way of a patient: who acts, the action, and whether a card comes with it.
WAY = (
    (Role.PATIENT, "scan_nfc", True),
    (Role.PATIENT, "register", False),
    (Role.PATIENT, "confirm_arrival", False),
    (Role.STAFF, "call_patient", False),
    (Role.STAFF, "mark_no_show", False),
    (Role.STAFF, "call_patient", False),
    (Role.PATIENT, "enter_exam_room", False),
    (Role.STAFF, "complete_exam", False),
    (Role.PATIENT, "confirm_arrival", False),
    (Role.STAFF, "call_patient", False),
    (Role.STAFF, "start_exam", False),
    (Role.STAFF, "cancel_appointment", False),
    (Role.PATIENT, "make_payment", False),
    (Role.PATIENT, "make_payment", False),
    (Role.PATIENT, "leave_hospital", False),
)


@contextmanager
def counting(store: SqliteStore) -> Iterator[list[str]]:
    """The statements that a centre's database gets meanwhile."""
    said: list[str] = []
    connections = (store._writer, *store._readers)
    for connection in connections:
        connection.set_trace_callback(said.append)
    yield said
    for connection in connections:
        connection.set_trace_callback(None)


class Counted:
    """The web application of a centre, with the statements of its last request."""

    def __init__(self, centre: Centre) -> None:
        self._client = create_app(centre.parts, SocketPlaces(1)).test_client()
        self._tokens = {
            Role.STAFF: centre.token(Role.STAFF, name="desk"),
            Role.PATIENT: centre.token(Role.PATIENT, patient(1)),
        }
        self.statements: list[str] = []
        for role in (*self._tokens, *self._tokens):  # the first use of a token is noted, and the second remembered
            self._client.get("/api/v1/patient-journey/current-state/", headers=self._headers(role))
        for connection in (centre.store._writer, *centre.store._readers):
            connection.set_trace_callback(self.statements.append)

    def perform(self, role: Role, action: str, payload: Mapping[str, Any], action_id: str | None = None) -> int:
        """Sends an action. Returns the status of the answer."""
        self.statements.clear()
        body = {"action_type": action, "action_id": action_id or new_id(), "payload": payload}
        return self._client.post(PERFORM, json=body, headers=self._headers(role)).status_code

    def change_entry(self, queue_id: str, state: str) -> int:
        """Sets the state of a queue entry, as staff do. Returns the status of the answer."""
        self.statements.clear()
        body = {"action_id": new_id(), "state": state, "reason": "measured"}
        path = f"/api/v1/queue/{queue_id}/"
        return self._client.patch(path, json=body, headers=self._headers(Role.STAFF)).status_code

    def _headers(self, role: Role) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[role]}"}


def count_way(centre: Centre) -> dict[tuple[str, str], int]:
    """The most statements of each action on the way of a patient, by role and action.

    Staff look at the patient for the first time before, so no action has to write that down.
    """
    counted = Counted(centre)
    counted.perform(Role.STAFF, "start_exam", {"patient_id": patient(1)})
    found: dict[tuple[str, str], int] = {}
    for role, action, with_card in WAY:
        payload = {"patient_id": patient(1)} | ({"tag_id": f"iso14443a:{card(1)}"} if with_card else {})
        status = counted.perform(role, action, payload)
        assert status == 200, action
        key = (role.value, action)
        found[key] = max(found.get(key, 0), len(counted.statements))
    return found
