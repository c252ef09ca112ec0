"""What staff change of an entry beside its state, and that an undo puts it back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.journey.model import Decision, Exam, ExamId, Journey, QueueId, Refusal, RefusalCode
from sync.journey.rules import is_legal
from sync.journey.staff_changes import (
    call_again,
    in_line_of,
    move_entry,
    priority_said,
    set_priority,
    with_booking_at,
)
from sync.journey.take_back import before
from sync.journey.undo import undo

from .samples import RULES, booking, entry, patient, states, statuses

ONE, NONE = QueueId("q1"), QueueId("q8")
Y = Exam(ExamId("Y"), "Title of Y", "검사 Y", "room Y", 20)
X = Exam(ExamId("X"), "Title of X", "검사 X", "room X", 15)
IN_X = patient("WAITING", [booking("X", status="waiting")], [entry(1, opened_ms=7)], 1)
CALLED = patient("CALLED", [booking("X", status="waiting")], [entry(1, state="called")], 1)


def given(journey: Journey, kind: str, reason: str = "") -> Decision:
    decision = set_priority(RULES, journey, ONE, kind, reason)
    assert isinstance(decision, Decision)
    return decision


def moved(journey: Journey, exam: Exam, end_ms: int | None = None) -> Decision:
    decision = move_entry(RULES, journey, ONE, exam, end_ms, "wrong line")
    assert isinstance(decision, Decision)
    return decision


@pytest.mark.parametrize("kind", RULES.priorities)
def test_each_kind_has_its_weight_and_leaves_a_row_with_the_reason(kind: str):
    decision = given(IN_X, kind, "weak")
    assert decision.journey.entries[0].priority == RULES.priorities[kind].weight > 0
    assert decision.journey.state == "WAITING"
    (row,) = decision.entry_changes
    assert (row.previous, row.new, row.reason) == ("waiting", "waiting", f"set_priority: {kind}: weak")
    assert given(decision.journey, "").journey.entries[0].priority == 0


def test_the_kinds_stand_by_their_weight():
    found = [each.weight for each in RULES.priorities.values()]
    assert found == sorted(found, reverse=True)
    assert RULES.priorities["emergency"].needs_reason


def test_an_ended_or_unknown_entry_gets_no_priority():
    ended = patient("COMPLETED", [], [entry(1, state="completed")], 1)
    assert set_priority(RULES, ended, ONE, "elderly", "") == Refusal(
        RefusalCode.NOT_ALLOWED, "set_priority", "COMPLETED"
    )
    assert set_priority(RULES, IN_X, NONE, "elderly", "") == Refusal(
        RefusalCode.NO_SUCH_ENTRY, "set_priority", "WAITING"
    )


def test_a_moved_entry_keeps_number_and_place_and_takes_its_booking_along():
    after = moved(IN_X, Y).journey
    (there,) = after.entries
    assert (there.exam_id, there.exam_name, there.room, there.minutes) == ("Y", "검사 Y", "room Y", 20)
    assert (there.queue_number, there.opened_ms, there.line_ms) == ("B-001", 7, None)
    assert (there.moved_from, there.moved_from_room) == ("검사 X", "room X")
    assert [(each.exam_id, each.room, each.status) for each in after.appointments] == [("Y", "room Y", "waiting")]
    assert moved(IN_X, Y).entry_changes[0].reason == "wrong line"


def test_a_moved_entry_may_go_to_the_end_of_the_other_line_or_of_its_own():
    assert moved(IN_X, Y, 99).journey.entries[0].line_ms == 99
    back = moved(IN_X, X, 99)
    assert (back.journey.entries[0].line_ms, back.journey.entries[0].moved_from) == (99, "")
    assert back.journey.appointments == IN_X.appointments


@pytest.mark.parametrize(
    ("state", "journey_state", "after"),
    [
        ("waiting", "WAITING", "waiting"),
        ("delayed", "WAITING", "delayed"),
        ("no_show", "WAITING", "waiting"),
        ("called", "CALLED", "waiting"),
    ],
)
def test_one_who_was_called_or_missed_waits_again(state: str, journey_state: str, after: str):
    journey = patient(
        journey_state, [booking("X", status=RULES.queue_to_appointment[state])], [entry(1, state=state)], 1
    )
    decision = moved(journey, Y)
    assert (decision.journey.state, states(decision.journey)) == ("WAITING", {"q1": after})
    assert statuses(decision.journey) == {"Y": "waiting"}
    assert all(is_legal(RULES, row) for row in decision.transitions)
    back = undo(
        RULES,
        with_booking_at(decision.journey, decision.journey.entries[0].appointment_id, _x(journey)),
        before(journey, decision),
    )
    assert replace(back.journey, journey_version=journey.journey_version) == journey


def _x(journey: Journey) -> Exam:
    return replace(X, public_label=journey.appointments[0].exam_name, room=journey.appointments[0].room)


@pytest.mark.parametrize(("state", "journey_state"), [("in_progress", "IN_PROGRESS"), ("completed", "COMPLETED")])
def test_one_who_is_being_seen_or_is_done_is_not_moved(state: str, journey_state: str):
    journey = patient(journey_state, [], [entry(1, state=state)], 1)
    assert move_entry(RULES, journey, ONE, Y, None, "") == Refusal(RefusalCode.NOT_ALLOWED, "move_entry", journey_state)


def test_nobody_is_moved_to_where_they_stand_already():
    refusal = Refusal(RefusalCode.NOT_ALLOWED, "move_entry", "WAITING")
    assert move_entry(RULES, IN_X, ONE, X, None, "") == refusal
    both = patient("WAITING", [], [entry(1), entry(2, "Y")], 1)
    assert in_line_of(RULES, both, Y, ONE)
    assert move_entry(RULES, both, ONE, Y, None, "") == refusal
    ended = patient("WAITING", [], [entry(1), entry(2, "Y", "completed")], 1)
    assert moved(ended, Y).journey.entries[0].exam_id == "Y"
    assert move_entry(RULES, IN_X, NONE, Y, None, "") == Refusal(RefusalCode.NO_SUCH_ENTRY, "move_entry", "WAITING")


def test_another_entry_than_the_current_one_moves_without_the_journey():
    journey = patient("IN_PROGRESS", [], [entry(1, state="called"), entry(2, "Z", "in_progress")], 2)
    assert moved(journey, Y).journey.state == "IN_PROGRESS"


def test_a_called_patient_is_called_again_and_nothing_changes():
    decision = call_again(RULES, CALLED, ONE)
    assert isinstance(decision, Decision)
    assert decision.journey == CALLED
    assert [(row.previous, row.new, row.reason) for row in decision.entry_changes] == [
        ("called", "called", "call_again")
    ]
    assert isinstance(call_again(RULES, IN_X, ONE), Refusal)
    assert isinstance(call_again(RULES, CALLED, NONE), Refusal)


@pytest.mark.parametrize(("kind", "reason"), [("emergency", "fever: 40"), ("elderly", ""), ("", "a mistake"), ("", "")])
def test_the_row_of_a_priority_says_kind_and_reason_again(kind: str, reason: str):
    words = given(IN_X, kind, reason).entry_changes[0].reason
    assert priority_said(words) == (kind, reason)
    assert priority_said("called the wrong one: twice") is None
