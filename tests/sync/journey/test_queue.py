"""Entries: calls and recalls, no-shows, cancellations, several at a time, the walk back in, and direct changes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.journey.definitions import read
from sync.journey.model import (
    PATIENT,
    STAFF,
    AppointmentChange,
    Decision,
    EntryChange,
    Journey,
    QueueId,
    Refusal,
    RefusalCode,
    Transition,
)
from sync.journey.rules import available_actions, change_entry, decide, is_legal, people_ahead
from tests.site_rules import with_changed

from .samples import RULES, action, booking, decided, entry, patient, refused, states, statuses


def waiting(state: str = "waiting") -> Journey:
    booked = booking("X", status=RULES.queue_to_appointment[state])
    return patient(RULES.queue_to_journey[state], [booked], [entry(1, state=state)], 1)


def changed(journey: Journey, queue_id: str, state: str) -> Decision:
    outcome = change_entry(RULES, journey, QueueId(queue_id), state)
    assert isinstance(outcome, Decision), outcome
    return outcome


# Calls, recalls, no-shows.


@pytest.mark.parametrize("state", ["waiting", "delayed", "no_show"])
def test_a_patient_in_line_delayed_or_missed_can_be_called(state: str):
    done = decided(waiting(state), action("call_patient", room="7"))
    assert done.journey.state == "CALLED"
    assert done.entry_changes == (EntryChange(QueueId("q1"), state, "called", "call_patient"),)
    current = done.journey.current
    assert current is not None
    assert current.room == "7"
    assert current.queue_number == "B-001"


def test_a_call_without_a_room_leaves_the_exam_room():
    current = decided(waiting(), action("call_patient")).journey.current
    assert current is not None
    assert current.room == "room X"


def test_a_patient_cannot_say_which_room_it_is():
    current = decided(waiting("called"), action("enter_exam_room", PATIENT, room="99")).journey.current
    assert current is not None
    assert current.room == "room X"


@pytest.mark.parametrize("state", ["waiting", "delayed", "called"])
def test_a_no_show_is_its_own_entry_state_though_the_mapping_alone_would_say_waiting(state: str):
    before = waiting(state)
    done = decided(before, action("mark_no_show"))
    assert done.journey.state == "WAITING"
    assert states(done.journey) == {"q1": "no_show"}
    assert statuses(done.journey) == {"X": "no_show"}
    assert done.transitions == (Transition(before.state, "mark_no_show", "WAITING", "staff_action"),)


def test_a_recall_after_a_no_show_brings_the_booking_back_too():
    missed = decided(waiting("called"), action("mark_no_show")).journey
    recalled = decided(missed, action("call_patient")).journey
    assert (recalled.state, states(recalled), statuses(recalled)) == ("CALLED", {"q1": "called"}, {"X": "waiting"})


def test_a_no_show_is_not_marked_twice():
    missed = decided(waiting(), action("mark_no_show")).journey
    assert refused(missed, action("mark_no_show")).code is RefusalCode.NOT_ALLOWED


@pytest.mark.parametrize("name", ["enter_exam_room", "start_exam"])
def test_into_the_room_by_oneself_or_led_by_staff(name: str):
    done = decided(waiting("called"), action(name))
    assert (done.journey.state, states(done.journey)) == ("IN_PROGRESS", {"q1": "in_progress"})


# Several entries.


def two(first: str = "waiting", second: str = "waiting", current: int = 1) -> Journey:
    bookings = [booking("X", 1000, "waiting"), booking("Y", 2000, "waiting")]
    entries = [entry(1, "X", first), entry(2, "Y", second)]
    return patient(RULES.queue_to_journey[(first, second)[current - 1]], bookings, entries, current)


@pytest.mark.parametrize("named", [{"entry": 2}, {"exam": "Y"}])
def test_a_change_to_another_entry_never_moves_the_journey(named: dict[str, int]):
    done = decided(two(), action("call_patient", **named))
    assert (done.journey.state, done.journey.current_queue_id) == ("WAITING", "q1")
    assert states(done.journey) == {"q1": "waiting", "q2": "called"}
    assert done.transitions == (Transition("WAITING", "call_patient", "WAITING", "staff_action"),)
    assert is_legal(RULES, done.transitions[0])


def test_unnamed_an_action_means_the_current_entry():
    assert states(decided(two(current=2), action("call_patient")).journey) == {"q1": "waiting", "q2": "called"}


def test_an_exam_named_means_its_last_live_entry():
    entries = [
        entry(1, "X", "cancelled"),
        entry(2, "X", "no_show"),
        entry(3, "X", "waiting"),
        entry(4, "X", "completed"),
    ]
    done = decided(patient("WAITING", entries=entries, current=3), action("call_patient", exam="X"))
    assert states(done.journey)["q3"] == "called"


@pytest.mark.parametrize("named", [{"entry": 5}, {"exam": "NOPE"}])
def test_naming_an_entry_that_is_not_there_is_told_apart(named: dict[str, int]):
    assert refused(two(), action("call_patient", **named)).code is RefusalCode.NO_SUCH_ENTRY


def test_without_a_current_entry_an_unnamed_action_on_one_is_not_allowed():
    assert refused(patient("ARRIVED"), action("call_patient")).code is RefusalCode.NOT_ALLOWED


@pytest.mark.parametrize(
    ("action_type", "other"),
    [
        ("call_patient", "waiting"),
        ("call_patient", "no_show"),
        ("start_exam", "called"),
        ("complete_exam", "in_progress"),
        ("mark_no_show", "called"),
        ("cancel_appointment", "waiting"),
    ],
)
@pytest.mark.parametrize("current", [1, None], ids=["the current entry has ended", "no entry is current"])
def test_an_action_that_only_another_entry_allows_is_told_that_it_names_none(action_type, other, current):
    before = patient("COMPLETED", entries=[entry(1, "X", "completed"), entry(2, "Y", other)], current=current)
    refusal = refused(before, action(action_type))
    assert refusal.code is RefusalCode.ENTRY_NOT_NAMED
    assert f"{action_type} needs queue_id or exam_id" in refusal.message
    assert isinstance(decide(RULES, before, action(action_type, exam="Y")), Decision)


def test_a_cancellation_that_names_no_booking_is_told_so():
    before = patient("ARRIVED", [booking("X")])
    assert refused(before, action("cancel_appointment")).code is RefusalCode.ENTRY_NOT_NAMED
    assert refused(patient("ARRIVED"), action("cancel_appointment")).code is RefusalCode.NOT_ALLOWED
    finished = patient("FINISHED", [booking("X")])
    assert refused(finished, action("cancel_appointment")).code is RefusalCode.NOT_ALLOWED


def test_an_entry_that_has_ended_takes_no_action():
    assert refused(two("completed"), action("call_patient", entry=1)).code is RefusalCode.NOT_ALLOWED


def test_when_the_current_exam_is_completed_the_journey_is_completed_though_another_waits():
    done = decided(two("in_progress"), action("complete_exam")).journey
    assert (done.state, done.current_queue_id) == ("COMPLETED", "q1")


def test_the_next_confirmed_arrival_joins_the_entry_that_waits_already():
    done = decided(two("completed"), action("confirm_arrival", PATIENT))
    assert (done.journey.state, done.journey.current_queue_id, done.journey.leg) == ("WAITING", "q2", 2)
    assert done.opened is None
    assert done.entry_changes == ()
    assert len(done.journey.entries) == 2


def test_a_patient_who_was_called_before_confirming_is_called_at_once():
    done = decided(two("completed", "called"), action("confirm_arrival", PATIENT))
    assert (done.journey.state, done.journey.current_queue_id) == ("CALLED", "q2")
    assert done.transitions == (
        Transition("COMPLETED", "confirm_arrival", "WAITING", "patient_action"),
        Transition("WAITING", "queue_sync", "CALLED", "queue_sync"),
    )


def test_a_missed_entry_is_rejoined_and_waits_again():
    done = decided(two("completed", "no_show"), action("confirm_arrival", PATIENT))
    assert states(done.journey) == {"q1": "completed", "q2": "waiting"}
    assert done.entry_changes == (EntryChange(QueueId("q2"), "no_show", "waiting", "confirm_arrival"),)
    assert done.opened is None


def test_without_a_booking_the_oldest_live_entry_is_joined_also_against_a_higher_priority():
    entries = [entry(1, "X", "completed"), entry(2, "Y", opened_ms=20, priority=5), entry(3, "Z", opened_ms=10)]
    done = decided(patient("COMPLETED", entries=entries, current=1), action("confirm_arrival", PATIENT))
    assert done.journey.current_queue_id == "q3"


def test_a_booking_that_is_open_comes_before_entries_of_other_exams():
    before = patient("COMPLETED", [booking("Z", status="arrived")], [entry(1, "X", "completed"), entry(2, "Y")], 1)
    opened = decided(before, action("confirm_arrival", PATIENT)).opened
    assert opened is not None
    assert opened.exam_id == "Z"


# Cancelling.


@pytest.mark.parametrize("state", sorted(RULES.live))
def test_a_cancelled_entry_takes_its_booking_along_and_the_journey_follows(state: str):
    before = waiting(state)
    done = decided(before, action("cancel_appointment"))
    assert (done.journey.state, states(done.journey)) == ("COMPLETED", {"q1": "cancelled"})
    assert statuses(done.journey) == {"X": "cancelled"}
    assert done.transitions == (Transition(before.state, "cancel_appointment", "COMPLETED", "staff_action"),)
    assert all(is_legal(RULES, row) for row in done.transitions)


@pytest.mark.parametrize(("other", "state"), [("waiting", "WAITING"), ("delayed", "WAITING"), ("called", "CALLED")])
def test_when_the_current_entry_is_cancelled_the_oldest_live_one_takes_over(other: str, state: str):
    entries = [entry(1, "X"), entry(2, "Y", "waiting", opened_ms=30), entry(3, "Z", other, opened_ms=20)]
    done = decided(patient("WAITING", entries=entries, current=1), action("cancel_appointment"))
    assert (done.journey.current_queue_id, done.journey.state) == ("q3", state)
    assert [row.trigger_type for row in done.transitions] == ["staff_action", "queue_sync"]
    assert done.transitions[-1] == Transition("COMPLETED", "queue_sync", state, "queue_sync")
    assert all(is_legal(RULES, row) for row in done.transitions)


def test_cancelling_another_entry_leaves_the_journey_alone():
    done = decided(two(), action("cancel_appointment", entry=2)).journey
    assert (done.state, done.current_queue_id, states(done)) == ("WAITING", "q1", {"q1": "waiting", "q2": "cancelled"})
    assert statuses(done) == {"X": "waiting", "Y": "cancelled"}


@pytest.mark.parametrize("state", ["UNREGISTERED", "ARRIVED", "REGISTERED", "COMPLETED", "PAYMENT"])
def test_where_there_is_no_entry_only_the_appointment_is_cancelled(state: str):
    before = patient(state, [booking("X"), booking("Y", 2000, "arrived")])
    done = decided(before, action("cancel_appointment", exam="Y"))
    assert statuses(done.journey) == {"X": "booked", "Y": "cancelled"}
    assert done.journey.state == state
    assert done.transitions == (Transition(state, "cancel_appointment", state, "staff_action"),)
    assert is_legal(RULES, done.transitions[0])
    assert done.journey.journey_version == before.journey_version + 1


def test_nothing_is_cancelled_any_more_once_the_visit_is_finished():
    for before in (
        patient("FINISHED", [booking("X")]),
        patient("FINISHED", [booking("X")], [entry(1, "Y", "completed"), entry(2, "X")], 1),
    ):
        assert refused(before, action("cancel_appointment", exam="X")).code is RefusalCode.NOT_ALLOWED
        assert "cancel_appointment" not in available_actions(RULES, before, STAFF)
    row = Transition("FINISHED", "cancel_appointment", "FINISHED", "staff_action")
    assert not is_legal(RULES, row)


@pytest.mark.parametrize("asked", [{"exam": "NOPE"}, {"entry": 5}, {"entry": 5, "exam": "X"}])
def test_cancelling_what_is_not_there_is_refused(asked: dict[str, int]):
    before = patient("ARRIVED", [booking("X")])
    assert refused(before, action("cancel_appointment", **asked)).code is RefusalCode.NO_SUCH_ENTRY


def test_a_booking_that_is_over_is_not_cancelled_again():
    before = patient("ARRIVED", [booking("X", status="cancelled")])
    assert refused(before, action("cancel_appointment", exam="X")).code is RefusalCode.NO_SUCH_ENTRY


@pytest.mark.parametrize("mine", [0, 1])
def test_of_two_bookings_of_one_exam_the_one_of_the_entry_moves(mine: int):
    bookings = [booking("X", 1000, "waiting"), booking("X", 2000, "waiting")]
    called = replace(entry(1, state="called"), appointment_id=bookings[mine].appointment_id)
    done = decided(patient("CALLED", bookings, [called], 1), action("start_exam"))
    assert done.appointment_changes == (AppointmentChange(bookings[mine].appointment_id, "waiting", "in_progress"),)


# Direct changes by staff.


@pytest.mark.parametrize("state", RULES.queue_states)
def test_the_journey_follows_its_current_entry_through_the_mapping(state: str):
    done = changed(waiting("called"), "q1", state)
    target = RULES.queue_to_journey[state]
    assert done.journey.state == target
    assert done.transitions == (
        () if target == "CALLED" else (Transition("CALLED", "queue_sync", target, "queue_sync"),)
    )
    assert done.entry_changes == (EntryChange(QueueId("q1"), "called", state, "change_entry"),)
    assert statuses(done.journey) == {"X": RULES.queue_to_appointment[state]}
    assert done.journey.journey_version == 8


def test_delayed_is_set_by_a_direct_change_and_the_patient_keeps_waiting():
    done = changed(waiting(), "q1", "delayed").journey
    assert (done.state, states(done)) == ("WAITING", {"q1": "delayed"})


@pytest.mark.parametrize("state", RULES.queue_states)
def test_a_direct_change_to_another_entry_never_moves_the_journey(state: str):
    done = changed(two(), "q2", state)
    assert (done.journey.state, done.journey.current_queue_id, done.transitions) == ("WAITING", "q1", ())


def test_a_direct_cancellation_hands_over_as_well():
    done = changed(two("waiting", "called"), "q1", "cancelled")
    assert (done.journey.current_queue_id, done.journey.state) == ("q2", "CALLED")
    assert [row.to_state for row in done.transitions] == ["COMPLETED", "CALLED"]


def test_after_a_cancellation_an_entry_opened_later_takes_over_by_nothing_but_a_confirmed_arrival():
    before = patient("COMPLETED", entries=[entry(1, "X", "cancelled"), entry(2, "Y")], current=1)
    for done in (changed(before, "q2", "delayed"), decided(before, action("call_patient", entry=2))):
        assert (done.journey.state, done.journey.current_queue_id) == ("COMPLETED", "q1")
    confirmed = decided(before, action("confirm_arrival")).journey
    assert (confirmed.state, confirmed.current_queue_id) == ("WAITING", "q2")


def test_a_direct_change_of_what_is_not_there_has_ended_or_is_no_state_is_refused():
    cases = [(two(), "q9", "called"), (two("completed"), "q1", "waiting"), (two(), "q1", "asleep")]
    codes = []
    for journey, queue_id, state in cases:
        outcome = change_entry(RULES, journey, QueueId(queue_id), state)
        assert isinstance(outcome, Refusal)
        codes.append(outcome.code)
    assert codes == [RefusalCode.NO_SUCH_ENTRY, RefusalCode.NOT_ALLOWED, RefusalCode.NOT_ALLOWED]


# The line, and what the health check calls legal.


def test_people_ahead_are_those_of_the_same_exam_in_line_by_priority_then_arrival():
    mine = entry(5, opened_ms=50)
    line = (
        entry(1, opened_ms=10),
        entry(2, opened_ms=60, priority=1),
        entry(3, opened_ms=70),
        entry(4, "Y", opened_ms=1),
        mine,
        entry(6, state="no_show", opened_ms=2),
        entry(7, state="in_progress", opened_ms=3),
        entry(8, state="called", opened_ms=4),
        entry(9, state="delayed", opened_ms=5),
    )
    assert people_ahead(RULES, line, mine) == 4
    assert people_ahead(RULES, (), mine) == 0


def test_of_two_who_came_at_the_same_moment_exactly_one_is_ahead():
    one, other = entry(1, opened_ms=10), entry(2, opened_ms=10)
    assert sorted(people_ahead(RULES, (one, other), e) for e in (one, other)) == [0, 1]


@pytest.mark.parametrize(
    ("row", "legal"),
    [
        (Transition("ARRIVED", "register", "REGISTERED", "patient_action"), True),
        (Transition("ARRIVED", "register", "WAITING", "patient_action"), False),
        (Transition("ARRIVED", "dance", "REGISTERED", "patient_action"), False),
        (Transition("CALLED", "queue_sync", "COMPLETED", "queue_sync"), True),
        (Transition("ARRIVED", "queue_sync", "COMPLETED", "queue_sync"), False),
        (Transition("CALLED", "queue_sync", "PAYMENT", "queue_sync"), False),
        (Transition("PAYMENT", "close_day", "UNREGISTERED", "system_auto"), True),
        (Transition("PAYMENT", "close_day", "ARRIVED", "system_auto"), False),
        (Transition("NOWHERE", "close_day", "UNREGISTERED", "system_auto"), False),
        (Transition("PAYMENT", "call_patient", "PAYMENT", "staff_action"), True),
        (Transition("NOWHERE", "call_patient", "NOWHERE", "staff_action"), False),
        (Transition("CALLED", "cancel_appointment", "COMPLETED", "staff_action"), True),
        (Transition("ARRIVED", "cancel_appointment", "COMPLETED", "staff_action"), False),
    ],
)
def test_the_health_check_knows_all_three_kinds_of_legal_rows(row: Transition, legal: bool):
    assert is_legal(RULES, row) is legal


def test_an_action_where_an_entry_is_opened_also_respects_where_it_may_never_be_sent():
    rules = read(with_changed(RULES.document, "confirm_arrival", never_in=["COMPLETED"]))
    assert isinstance(decide(rules, patient("COMPLETED"), action("confirm_arrival")), Refusal)
    assert isinstance(decide(rules, patient("REGISTERED"), action("confirm_arrival")), Decision)
