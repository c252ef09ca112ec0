"""Undo: after any press of staff, the journey and its entries are as before, and the history says so."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.journey.model import STAFF, BuiltIn, Decision, EntryChange, Journey, QueueId, Transition
from sync.journey.rules import available_actions, change_entry, is_legal
from sync.journey.take_back import before
from sync.journey.undo import undo

from .samples import RULES, action, booking, decided, entry, patient, states, statuses

PRESSES = ("call_patient", "start_exam", "complete_exam", "mark_no_show", "cancel_appointment")
SITUATIONS = [
    patient("WAITING", [booking("X", status="waiting"), booking("Y", 2000)], [entry(1), entry(2, "Z")], 1),
    patient("WAITING", [booking("X", status="waiting")], [entry(1, state="delayed")], 1),
    patient("WAITING", [booking("X", status="no_show")], [entry(1, state="no_show")], 1),
    patient("CALLED", [booking("X", status="waiting")], [entry(1, state="called"), entry(2, "Y")], 1),
    patient("IN_PROGRESS", [booking("X", status="in_progress")], [entry(1, state="in_progress")], 1),
    patient("COMPLETED", [booking("X", status="completed")], [entry(1, state="completed"), entry(2, "Y")], 1),
]


def put_back(was: Journey, now: Journey) -> Journey:
    return replace(now, journey_version=was.journey_version)


@pytest.mark.parametrize("journey", SITUATIONS)
@pytest.mark.parametrize("name", PRESSES)
@pytest.mark.parametrize("number", [1, 2])
def test_after_each_action_of_staff_all_is_as_before(journey: Journey, name: str, number: int):
    if journey.entry(QueueId(f"q{number}")) is None:
        return
    pressed = _pressed(journey, name, number)
    if pressed is None:
        return
    back = undo(RULES, pressed.journey, before(journey, pressed))
    assert put_back(journey, back.journey) == journey
    assert back.journey.journey_version == pressed.journey.journey_version + 1
    assert all(is_legal(RULES, row) for row in back.transitions)
    assert {change.queue_id for change in back.entry_changes} >= {f"q{number}"}


def _pressed(journey: Journey, name: str, number: int) -> Decision | None:
    from sync.journey.rules import decide

    outcome = decide(RULES, journey, action(name, entry=number, room="7"))
    return outcome if isinstance(outcome, Decision) else None


@pytest.mark.parametrize("state", RULES.queue_states)
@pytest.mark.parametrize("journey", SITUATIONS[:5])
def test_after_each_direct_change_all_is_as_before(journey: Journey, state: str):
    changed = change_entry(RULES, journey, QueueId("q1"), state)
    assert isinstance(changed, Decision)
    back = undo(RULES, changed.journey, before(journey, changed))
    assert put_back(journey, back.journey) == journey
    assert all(is_legal(RULES, row) for row in back.transitions)


def test_the_history_of_an_undo_names_it_and_offers_what_was_offered():
    journey = SITUATIONS[0]
    called = decided(journey, action("call_patient", room="7"))
    back = undo(RULES, called.journey, before(journey, called))
    assert back.transitions == (Transition("CALLED", BuiltIn.UNDO, "WAITING", "staff_action"),)
    assert back.entry_changes == (EntryChange(QueueId("q1"), "called", "waiting", BuiltIn.UNDO),)
    assert available_actions(RULES, back.journey, STAFF) == available_actions(RULES, journey, STAFF)


def test_an_undo_that_moves_the_entry_alone_leaves_a_row_of_the_journey_too():
    journey = SITUATIONS[0]
    called = decided(journey, action("call_patient", entry=2))
    back = undo(RULES, called.journey, before(journey, called))
    assert back.transitions == (Transition("WAITING", BuiltIn.UNDO, "WAITING", "staff_action"),)


def test_a_number_that_staff_have_given_is_cancelled_and_the_booking_is_open_again():
    journey = patient("REGISTERED", [booking("X", status="arrived")])
    arrived = decided(journey, action("confirm_arrival"))
    back = undo(RULES, arrived.journey, before(journey, arrived))
    assert (back.journey.state, states(back.journey)) == ("REGISTERED", {"q9": "cancelled"})
    assert statuses(back.journey) == {"X": "arrived"}


def test_no_undo_is_legal_with_a_state_of_no_rules_or_by_a_patient():
    assert not is_legal(RULES, Transition("CALLED", BuiltIn.UNDO, "LOST", "staff_action"))
    assert not is_legal(RULES, Transition("CALLED", BuiltIn.UNDO, "WAITING", "patient_action"))
