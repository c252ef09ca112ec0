"""The shipped definitions say exactly what the design says, word for word."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from sync.journey.definitions import read, shipped
from sync.journey.model import STAFF, Refusal
from sync.journey.rules import decide
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
