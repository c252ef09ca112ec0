"""The shipped definitions agree with the design, word for word."""

from __future__ import annotations

import json
import random
import tomllib
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.journey.definitions import Definitions, read, shipped
from sync.journey.model import STAFF, Refusal
from sync.journey.rules import decide
from sync.protocol import canonical
from tests.site_rules import with_added, with_changed

from .samples import RULES, action, patient, with_state

# The table of the design, one row of it a line.
TABLE = """
UNREGISTERED | scan_nfc                    | ARRIVED
ARRIVED      | register                    | REGISTERED
REGISTERED   | confirm_arrival             | WAITING
WAITING      | call_patient                | CALLED
WAITING      | mark_no_show                | WAITING
CALLED       | enter_exam_room, start_exam | IN_PROGRESS
CALLED       | mark_no_show                | WAITING
IN_PROGRESS  | complete_exam               | COMPLETED
COMPLETED    | confirm_arrival             | WAITING
COMPLETED    | make_payment                | PAYMENT
PAYMENT      | make_payment                | FINISHED
FINISHED     | leave_hospital              | UNREGISTERED
"""


def table() -> dict[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    for line in TABLE.strip().splitlines():
        state, names, target = (cell.strip() for cell in line.split("|"))
        rows.setdefault(state, {}).update({name.strip(): target for name in names.split(",")})
    return rows


def test_the_states_are_spelt_as_on_the_wire_and_in_this_order():
    assert RULES.journey_states == (
        "UNREGISTERED",
        "ARRIVED",
        "REGISTERED",
        "WAITING",
        "CALLED",
        "IN_PROGRESS",
        "COMPLETED",
        "PAYMENT",
        "FINISHED",
    )
    assert RULES.queue_states == ("waiting", "delayed", "called", "no_show", "in_progress", "completed", "cancelled")
    assert RULES.appointment_states == (
        "booked",
        "arrived",
        "waiting",
        "in_progress",
        "completed",
        "no_show",
        "cancelled",
    )
    assert RULES.initial == "UNREGISTERED"


def test_patients_and_staff_have_the_actions_of_the_design():
    assert RULES.actions_by("patient") == (
        "scan_nfc",
        "register",
        "confirm_arrival",
        "enter_exam_room",
        "complete_exam",
        "make_payment",
        "leave_hospital",
    )
    assert sorted(RULES.actions_by("staff")) == [
        "call_patient",
        "cancel_appointment",
        "complete_exam",
        "mark_no_show",
        "start_exam",
    ]


def test_the_transitions_of_the_public_interface_are_the_table_and_nothing_else():
    assert RULES.state_transitions() == table()
    assert list(RULES.state_transitions()) == list(RULES.journey_states)


def test_both_mappings_are_those_of_the_design():
    assert RULES.queue_to_journey == {
        "waiting": "WAITING",
        "delayed": "WAITING",
        "called": "CALLED",
        "no_show": "WAITING",
        "in_progress": "IN_PROGRESS",
        "completed": "COMPLETED",
        "cancelled": "COMPLETED",
    }
    assert RULES.journey_to_queue == {
        "WAITING": "waiting",
        "CALLED": "called",
        "IN_PROGRESS": "in_progress",
        "COMPLETED": "completed",
    }


def test_live_and_listed_entries_are_those_of_the_design():
    assert RULES.live == {"waiting", "delayed", "called", "in_progress", "no_show"}
    assert RULES.listed == {"waiting", "delayed", "called", "in_progress"}


@pytest.mark.parametrize("state", shipped().journey_states)
@pytest.mark.parametrize("name", [n for n, rule in shipped().actions.items() if rule.entry is None])
def test_an_action_on_the_journey_alone_is_accepted_exactly_where_the_table_has_it(state: str, name: str):
    outcome = decide(RULES, with_state(patient("ARRIVED"), state), action(name, STAFF))
    target = table().get(state, {}).get(name)
    assert (None if isinstance(outcome, Refusal) else outcome.journey.state) == target


def test_the_document_that_travels_reads_back_to_the_same_definitions():
    assert read(RULES.document) == RULES
    assert RULES.document == tomllib.loads(
        resources.files("sync.journey").joinpath("definitions.toml").read_text("utf-8")
    )


def shuffled(node: Any, chance: random.Random) -> Any:
    """A document with the keys of every table in another order."""
    if isinstance(node, dict):
        keys = list(node)
        chance.shuffle(keys)
        return {key: shuffled(node[key], chance) for key in keys}
    return [shuffled(each, chance) for each in node] if isinstance(node, list) else node


def in_order(rules: Definitions) -> list[object]:
    """The parts of the definitions with a visible order."""
    tables = [rules.queue_to_journey, rules.journey_to_queue, rules.queue_to_appointment, rules.actions]
    transitions = {state: list(actions.items()) for state, actions in rules.state_transitions().items()}
    return [*(list(table.items()) for table in tables), list(transitions.items()), rules.ways]


@given(st.randoms(use_true_random=False))
def test_no_order_of_the_keys_of_a_table_means_anything(chance: random.Random):
    read_again = read(shuffled(RULES.document, chance))
    assert read_again == RULES
    assert in_order(read_again) == in_order(RULES)


def test_canonical_json_keeps_every_order_that_means_something():
    travelled = json.loads(canonical(RULES.document))
    assert in_order(read(travelled)) == in_order(RULES)
    assert list(travelled) != list(RULES.document), "the keys of tables are sorted on the way"


def test_the_order_of_the_actions_is_that_of_the_document():
    backwards = read({**RULES.document, "actions": RULES.document["actions"][::-1]})
    assert list(backwards.actions) == list(RULES.actions)[::-1]
    assert list(backwards.state_transitions()["COMPLETED"]) == ["make_payment", "confirm_arrival"]


def test_a_tap_does_what_the_definitions_say_and_a_booking_begins_as_they_say():
    assert (RULES.tap, RULES.fresh_appointment) == ("scan_nfc", "booked")


@pytest.mark.parametrize(
    ("grants", "actions"),
    [
        (["entrance"], ("scan_nfc", "register", "confirm_arrival")),
        (["exam_room"], ("enter_exam_room", "complete_exam")),
        (["payment"], ("make_payment",)),
        (["exit"], ("leave_hospital",)),
        (["exit", "make_payment"], ("make_payment", "leave_hospital")),
        (["confirm_arrival", "scan_nfc"], ("scan_nfc", "confirm_arrival")),
        (["call_patient", "dance", ""], ()),
        ([], ()),
    ],
)
def test_what_grants_come_to_stands_in_the_definitions_order(grants: list[str], actions: tuple[str, ...]):
    assert RULES.granted(grants) == actions


def test_a_site_may_add_kinds_of_kiosk():
    kiosks = {**RULES.document["kiosks"], "everything": list(RULES.actions_by("patient"))}
    assert read({**RULES.document, "kiosks": kiosks}).granted(["everything"]) == RULES.actions_by("patient")


def test_every_state_stands_at_a_step_of_a_way():
    steps = {state: RULES.step_of(state) for state in RULES.journey_states}
    assert steps == {
        "UNREGISTERED": (0, 0),
        "ARRIVED": (0, 1),
        "REGISTERED": (0, 2),
        "WAITING": (0, 3),
        "CALLED": (0, 3),
        "IN_PROGRESS": (1, 1),
        "COMPLETED": (1, 2),
        "PAYMENT": (1, 2),
        "FINISHED": (1, 3),
    }
    assert RULES.step_of("NOWHERE") == (0, 0)


@pytest.mark.parametrize(
    ("before", "step"), [("ARRIVED", (0, 0)), ("REGISTERED", (0, 1)), ("CALLED", (0, 3)), ("FINISHED", (1, 2))]
)
def test_a_state_of_a_site_stands_at_the_step_before_it_and_not_at_the_first(before: str, step: tuple[int, int]):
    states = list(RULES.journey_states)
    states.insert(states.index(before), "TRIAGE")
    document = with_added(RULES.document, "scan_nfc", name="sort", by=["staff"], moves={"UNREGISTERED": "TRIAGE"})
    assert read({**document, "journey_states": states}).step_of("TRIAGE") == step


def test_a_state_before_every_step_stands_at_the_first():
    document = with_added(RULES.document, "scan_nfc", name="sort", by=["staff"], moves={"UNREGISTERED": "TRIAGE"})
    assert read({**document, "journey_states": ["TRIAGE", *RULES.journey_states]}).step_of("TRIAGE") == (0, 0)


def test_a_new_state_and_its_action_are_an_edit_of_the_document_and_no_code():
    document = tomllib.loads(resources.files("sync.journey").joinpath("definitions.toml").read_text("utf-8"))
    document["version"] = 2
    document["journey_states"].append("PHARMACY")
    document = with_added(
        document, "make_payment", name="collect_medicine", by=["patient"], moves={"FINISHED": "PHARMACY"}
    )
    document = with_changed(document, "leave_hospital", moves={"FINISHED": "UNREGISTERED", "PHARMACY": "UNREGISTERED"})
    rules = read(document)
    outcome = decide(rules, patient("FINISHED"), action("collect_medicine"))
    assert not isinstance(outcome, Refusal)
    assert outcome.journey.state == "PHARMACY"
