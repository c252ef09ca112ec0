"""A visit's history as the table of conflicts reads it."""

from __future__ import annotations

from sync.central.records.history import Provenance, add_transitions, last_action_of_visit, transitions_of_visit
from sync.ids import new_id
from sync.journey.model import Transition
from tests.sync.central.centre import Centre, patient


def acted(centre: Centre, visit_id: str, change: int, *rows: tuple[str, str]) -> str:
    """One action of a visit, with a transition for each pair of action and new state. Returns the action's id."""
    action_id = new_id()
    transitions = tuple(Transition("WAITING", action, to_state, "patient_action") for action, to_state in rows)
    with centre.store.write() as db:
        provenance = Provenance("rest", "staff", 0, 0, action_id=action_id)
        add_transitions(db, change, patient(1), visit_id, 1, transitions, provenance)
    return action_id


def test_a_history_is_in_the_order_of_its_changes_and_within_a_change_in_that_of_its_rows(centre: Centre):
    acted(centre, "V1", 902, ("call_patient", "CALLED"))
    acted(centre, "V1", 901, ("confirm_arrival", "WAITING"), ("queue_sync", "CALLED"), ("queue_sync", "WAITING"))
    acted(centre, "V2", 900, ("scan_nfc", "ARRIVED"))
    with centre.store.read() as db:
        rows = transitions_of_visit(db, "V1")
    assert [(row.action, row.to_state) for row in rows] == [
        ("confirm_arrival", "WAITING"),
        ("queue_sync", "CALLED"),
        ("queue_sync", "WAITING"),
        ("call_patient", "CALLED"),
    ]


def test_the_counterpart_of_an_action_is_the_last_of_its_kind_else_the_last_of_the_visit(centre: Centre):
    acted(centre, "V1", 901, ("make_payment", "PAYMENT"))
    second = acted(centre, "V1", 902, ("make_payment", "FINISHED"))
    last = acted(centre, "V1", 903, ("leave_hospital", "UNREGISTERED"))
    with centre.store.read() as db:
        assert last_action_of_visit(db, "V1", "make_payment") == second
        assert last_action_of_visit(db, "V1", "register") == last
        assert last_action_of_visit(db, "V9", "register") is None
