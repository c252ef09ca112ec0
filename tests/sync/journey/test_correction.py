"""Corrections by staff: the allowed ones, and their history rows."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.journey.correction import CORRECTION, correct
from sync.journey.definitions import shipped
from sync.journey.model import (
    STAFF,
    Action,
    ActionId,
    Appointment,
    AppointmentId,
    Decision,
    Exam,
    ExamId,
    Journey,
    Opens,
    PatientId,
    QueueId,
    Refusal,
    RefusalCode,
    Transition,
    VisitId,
)
from sync.journey.rules import decide, is_legal

RULES = shipped()
DESK = Exam(ExamId("DESK"), "Desk", "Desk", "0")
TO_PAYMENT = ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam", "make_payment")


def after(*actions: str) -> Journey:
    journey = Journey(PatientId("P"), "UNREGISTERED", "2026-03-02")
    for number, name in enumerate(actions):
        opens = Opens(VisitId("v"), QueueId(f"q{number}"), "C-001", DESK)
        outcome = decide(RULES, journey, Action(ActionId(str(number)), name, STAFF, number, opens))
        assert isinstance(outcome, Decision)
        journey = outcome.journey
    return journey


def corrected(journey: Journey, state: str) -> Decision:
    outcome = correct(RULES, journey, state)
    assert isinstance(outcome, Decision), outcome
    return outcome


def with_bookings(journey: Journey, *states: str) -> Journey:
    """Returns the journey with bookings of its exam in these states, one after the other in the day. The entry is of
    the second one."""
    bookings = (
        Appointment(AppointmentId(f"a{number}"), DESK.exam_id, "Desk", "0", number, state)
        for number, state in enumerate(states)
    )
    assert journey.current is not None
    linked = replace(journey.current, appointment_id=AppointmentId("a1"))
    return replace(journey.with_entry(linked), appointments=tuple(bookings))


def statuses(journey: Journey) -> list[str]:
    return [booking.status for booking in journey.appointments]


def test_a_patient_called_by_mistake_waits_again_and_so_does_the_entry():
    journey = after(*TO_PAYMENT[:4])
    found = corrected(journey, "WAITING")
    assert found.journey.state == "WAITING"
    assert found.journey.current is not None
    assert found.journey.current.state == "waiting"
    assert found.journey.journey_version == journey.journey_version + 1
    assert found.transitions == (Transition("CALLED", CORRECTION, "WAITING", "staff_action"),)
    assert [(c.previous, c.new) for c in found.entry_changes] == [("called", "waiting")]


def test_an_exam_that_was_not_over_goes_on():
    found = corrected(after(*TO_PAYMENT[:6]), "IN_PROGRESS")
    assert found.journey.current is not None
    assert found.journey.current.state == "in_progress"


def test_the_booking_goes_with_the_entry_of_a_corrected_journey_and_comes_back_with_it():
    booked = with_bookings(after(*TO_PAYMENT[:3]), "completed", "waiting", "booked")
    done = corrected(booked, "COMPLETED")
    assert statuses(done.journey) == ["completed", "completed", "booked"]
    assert [(c.appointment_id, c.previous, c.new) for c in done.appointment_changes] == [("a1", "waiting", "completed")]
    again = corrected(done.journey, "IN_PROGRESS")
    assert statuses(again.journey) == ["completed", "in_progress", "booked"]


def test_a_correction_of_an_entry_without_a_booking_changes_no_booking():
    booked = with_bookings(after(*TO_PAYMENT[:6]), "booked")
    found = corrected(booked, "IN_PROGRESS")
    assert (statuses(found.journey), found.appointment_changes) == (["booked"], ())


def test_a_payment_that_was_none_is_taken_back_and_the_entry_stays_as_it_is():
    found = corrected(after(*TO_PAYMENT), "COMPLETED")
    assert (found.journey.state, found.entry_changes) == ("COMPLETED", ())


def test_a_state_beside_the_line_leaves_an_ended_entry_alone():
    found = corrected(after(*TO_PAYMENT[:6]), "FINISHED")
    assert (found.journey.state, found.entry_changes) == ("FINISHED", ())


@pytest.mark.parametrize(
    ("actions", "state", "code"),
    [
        ((), "ARRIVED", RefusalCode.NOT_ALLOWED),
        (("scan_nfc",), "UNREGISTERED", RefusalCode.NOT_ALLOWED),
        (("scan_nfc",), "ARRIVED", RefusalCode.NOT_ALLOWED),
        (("scan_nfc",), "NOWHERE", RefusalCode.NOT_ALLOWED),
        (("scan_nfc",), "WAITING", RefusalCode.NO_SUCH_ENTRY),
        (TO_PAYMENT[:3], "REGISTERED", RefusalCode.NOT_ALLOWED),
    ],
    ids=["no visit", "the beginning", "where they are", "no state", "without an entry", "entry still in line"],
)
def test_a_correction_that_makes_no_sense_is_refused(actions: tuple[str, ...], state: str, code: RefusalCode):
    journey = after(*actions)
    outcome = correct(RULES, journey, state)
    assert outcome == Refusal(code, CORRECTION, journey.state)


def test_its_history_row_is_legal_and_nothing_like_it_is():
    row = corrected(after("scan_nfc"), "REGISTERED").transitions[0]
    assert is_legal(RULES, row)
    for change in (
        {"trigger_type": "patient_action"},
        {"action": "correct"},
        {"to_state": "UNREGISTERED"},
        {"to_state": "ARRIVED"},
        {"from_state": "NOWHERE"},
    ):
        assert not is_legal(RULES, replace(row, **change)), change
