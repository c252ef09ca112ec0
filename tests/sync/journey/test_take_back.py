"""The way back: after any acts, the journey goes to exactly where it was, and what is on paper is cancelled."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from sync.journey.definitions import read, shipped
from sync.journey.model import (
    STAFF,
    Action,
    ActionId,
    Appointment,
    AppointmentChange,
    AppointmentId,
    Decision,
    EntryChange,
    Exam,
    ExamId,
    Journey,
    Opens,
    PatientId,
    QueueId,
    Transition,
    VisitId,
)
from sync.journey.rules import decide, is_legal
from sync.journey.take_back import Before, are_last, before, knows, take_back, void

RULES = shipped()
DESK = Exam(ExamId("DESK"), "Desk", "Desk", "0")
BOOKINGS = tuple(
    Appointment(AppointmentId(f"a{number}"), ExamId(exam), exam, "1", number, "booked")
    for number, exam in enumerate(("X", "E"))
)
FRESH = Journey(PatientId("P"), "UNREGISTERED", "2026-03-02", appointments=BOOKINGS)
EXAM = ("confirm_arrival", "call_patient", "start_exam", "complete_exam")
DAY = ("scan_nfc", "register", *EXAM, *EXAM, "make_payment", "make_payment", "leave_hospital", "scan_nfc", "register")


def act(journey: Journey, name: str, number: int, **more: object) -> Decision:
    opens = Opens(VisitId(f"v{number}"), QueueId(f"q{number}"), f"A-{number:03d}", DESK)
    outcome = decide(RULES, journey, Action(ActionId(str(number)), name, STAFF, number, opens, **more))  # type: ignore[arg-type]
    assert isinstance(outcome, Decision), (name, outcome)
    return outcome


def played(actions: tuple[str, ...] = DAY) -> list[tuple[Journey, Decision]]:
    """Each journey with the decision on it, from the first to the last action."""
    steps, journey = [], FRESH
    for number, name in enumerate(actions):
        decision = act(journey, name, number)
        steps.append((journey, decision))
        journey = decision.journey
    return steps


def changes(steps: list[tuple[Journey, Decision]]) -> list[Before]:
    return [before(journey, decision) for journey, decision in reversed(steps)]


def as_before(was: Journey, now: Journey) -> Journey:
    """The journey of a way back without the version and the entries that only the undone acts knew."""
    return replace(
        now,
        journey_version=was.journey_version,
        entries=tuple(entry for entry in now.entries if was.entry(entry.queue_id) is not None),
    )


PAIRS = [(first, last) for first in range(len(DAY)) for last in range(first + 1, len(DAY) + 1)]


@pytest.mark.parametrize(("first", "last"), PAIRS)
def test_after_any_acts_the_journey_goes_to_exactly_where_it_was(first: int, last: int):
    steps = played()[:last]
    was, now = steps[first][0], steps[-1][1].journey
    assert are_last(now, changes(steps[first:]), ())
    back = take_back(RULES, now, changes(steps[first:]), "a reason")
    assert as_before(was, back.journey) == was
    assert back.journey.journey_version == now.journey_version + 1
    new = [entry for entry in back.journey.entries if was.entry(entry.queue_id) is None]
    assert {entry.state for entry in new} <= {"cancelled"}
    assert all(is_legal(RULES, row) for row in back.transitions)
    assert [(row.from_state, row.to_state) for row in back.transitions] == (
        [(now.state, was.state)] if now.state != was.state else []
    )


def test_the_rows_of_a_way_back_say_what_moved_and_why():
    steps = played(DAY[:3])
    back = take_back(RULES, steps[-1][1].journey, changes(steps), "stolen")
    assert back.transitions == (Transition("WAITING", "take_back", "UNREGISTERED", "staff_action"),)
    assert back.entry_changes == (EntryChange(QueueId("q2"), "waiting", "cancelled", "stolen"),)
    assert back.appointment_changes == (
        AppointmentChange(AppointmentId("a0"), "waiting", "booked"),
        AppointmentChange(AppointmentId("a1"), "arrived", "booked"),
    )


def test_a_booking_that_the_hospital_has_changed_since_stays():
    steps = played(DAY[:2])
    now = steps[-1][1].journey
    called_off = replace(now.appointments[0], status="cancelled")
    now = replace(now, appointments=(called_off, now.appointments[1]))
    back = take_back(RULES, now, changes(steps), "stolen")
    assert [each.status for each in back.journey.appointments] == ["cancelled", "booked"]


def test_an_entry_that_is_there_no_more_is_no_hindrance():
    steps = played(DAY[:4])
    now = replace(steps[-1][1].journey, entries=(), current_queue_id=None)
    assert take_back(RULES, now, changes(steps[3:]), "stolen").journey.entries == ()
    assert take_back(RULES, now, changes(steps), "stolen").journey.state == "UNREGISTERED"


def test_changes_are_the_last_ones_only_without_any_other_in_between_and_on_one_day():
    steps = played(DAY[:4])
    now, all_of_them = steps[-1][1].journey, changes(steps)
    assert are_last(now, all_of_them, ())
    assert not are_last(replace(now, journey_version=now.journey_version + 1), all_of_them, ())
    assert are_last(replace(now, journey_version=now.journey_version + 1), all_of_them, {now.journey_version})
    assert not are_last(now, [all_of_them[0], all_of_them[2]], ())
    assert are_last(now, [all_of_them[0], all_of_them[2]], {all_of_them[1].journey_version})
    assert not are_last(now, all_of_them[1:], ())
    assert not are_last(replace(now, site_day="2026-03-03"), all_of_them, ())
    set_back = replace(now, journey_version=1)
    assert not are_last(set_back, all_of_them, range(10))


def test_rules_that_no_longer_know_a_state_lead_nowhere_back():
    steps = played(DAY[:4])
    way = changes(steps)
    assert knows(RULES, way)
    assert not knows(RULES, [*way[:-1], replace(way[-1], state="GONE")])
    entry = replace(way[0].entries[0], state="gone")
    assert not knows(RULES, [replace(way[0], entries=(entry,)), *way[1:]])


def test_without_a_cancellation_in_the_rules_an_entry_ends_in_another_way():
    document = dict(RULES.document)
    document["actions"] = [row for row in document["actions"] if row["name"] != "cancel_appointment"]
    entry = played(DAY[:3])[-1][1].journey.entries[0]
    assert void(RULES, entry).state == "cancelled"
    assert void(read(document), entry).state == "completed"


@pytest.mark.parametrize(
    ("row", "legal"),
    [
        (Transition("WAITING", "take_back", "UNREGISTERED", "staff_action"), True),
        (Transition("UNREGISTERED", "take_back", "FINISHED", "staff_action"), True),
        (Transition("WAITING", "take_back", "WAITING", "staff_action"), False),
        (Transition("WAITING", "take_back", "UNREGISTERED", "patient_action"), False),
        (Transition("WAITING", "take_back", "GONE", "staff_action"), False),
        (Transition("GONE", "take_back", "WAITING", "staff_action"), False),
    ],
)
def test_only_staff_take_back_and_only_between_two_states_of_the_rules(row: Transition, legal: bool):
    assert is_legal(RULES, row) is legal


def test_the_way_forward_and_back_meets_each_state_once():
    """The pairs above cover every state of the rules."""
    states = {journey.state for journey, _ in played()}
    assert states == set(RULES.journey_states)
    assert all(earlier[1].journey == later[0] for earlier, later in pairwise(played()))
