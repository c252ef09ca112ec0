"""decide(), by example: the effects of each action on journey, entries and bookings, and its refusals."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.journey.model import (
    PATIENT,
    STAFF,
    SYSTEM,
    Actor,
    AppointmentChange,
    EntryChange,
    RefusalCode,
    Role,
    Transition,
)
from sync.journey.rules import available_actions, decide

from .samples import (
    DESK,
    ENTRANCE,
    RULES,
    action,
    booking,
    decided,
    entry,
    patient,
    refused,
    states,
    statuses,
    walked,
)


def test_a_scan_opens_a_visit_and_says_that_it_was_a_card():
    done = decided(patient(), action("scan_nfc", PATIENT, number=3))
    assert (done.journey.state, done.journey.visit_id, done.journey.leg) == ("ARRIVED", "v3", 0)
    assert done.transitions == (Transition("UNREGISTERED", "scan_nfc", "ARRIVED", "nfc_tag"),)
    assert done.entry_changes == ()
    assert done.appointment_changes == ()
    assert done.opened is None


def test_a_registration_marks_every_booking_of_the_day_as_arrived():
    before = patient("ARRIVED", [booking("X"), booking("Y", 2000), booking("Z", 3000, "cancelled")])
    done = decided(before, action("register", PATIENT))
    assert done.journey.state == "REGISTERED"
    assert statuses(done.journey) == {"X": "arrived", "Y": "arrived", "Z": "cancelled"}
    assert [change.new for change in done.appointment_changes] == ["arrived", "arrived"]


def test_a_confirmed_arrival_opens_the_entry_of_the_earliest_open_booking():
    before = patient(
        "REGISTERED", [booking("Y", 2000, "arrived"), booking("X", 1000, "arrived"), booking("W", 1, "completed")]
    )
    done = decided(before, action("confirm_arrival", PATIENT, number=4, at_ms=77))
    opened = done.opened
    assert opened is not None
    assert done.journey.current == opened
    assert (opened.queue_id, opened.exam_id, opened.exam_name, opened.room) == ("q4", "X", "검사 X", "room X")
    assert (opened.state, opened.queue_number, opened.leg, opened.opened_ms, opened.minutes) == (
        "waiting",
        "B-004",
        1,
        77,
        15,
    )
    assert done.entry_changes == (EntryChange(opened.queue_id, None, "waiting", "confirm_arrival"),)
    assert statuses(done.journey) == {"X": "waiting", "Y": "arrived", "W": "completed"}
    assert (done.journey.state, done.journey.leg) == ("WAITING", 1)


def test_of_two_bookings_at_the_same_time_the_same_one_is_always_next():
    bookings = [booking("Y", 1000, "arrived"), booking("X", 1000, "arrived")]
    for order in (bookings, bookings[::-1]):
        opened = decided(patient("REGISTERED", order), action("confirm_arrival")).opened
        assert opened is not None
        assert opened.exam_id == "X"


def test_a_confirmed_arrival_without_a_booking_goes_to_the_walk_in_desk():
    done = decided(patient("REGISTERED", [booking("X", status="cancelled")]), action("confirm_arrival", PATIENT))
    assert done.opened is not None
    assert (done.opened.exam_id, done.opened.exam_name, done.opened.room, done.opened.minutes) == (
        DESK.exam_id,
        DESK.public_label,
        DESK.room,
        DESK.minutes,
    )
    assert done.appointment_changes == ()


def test_an_overnight_exam_passes_that_on_to_its_entry():
    opened = decided(patient("REGISTERED", [booking("X", overnight=True)]), action("confirm_arrival")).opened
    assert opened is not None
    assert opened.overnight


def test_after_an_exam_the_next_confirmed_arrival_is_the_next_leg():
    first = walked(
        patient("ARRIVED", [booking("X"), booking("Y", 2000)]),
        "register",
        "confirm_arrival",
        "call_patient",
        "start_exam",
        "complete_exam",
    )
    assert statuses(first) == {"X": "completed", "Y": "arrived"}
    second = decided(first, action("confirm_arrival", PATIENT, number=5)).journey
    assert (second.state, second.leg, second.current_queue_id) == ("WAITING", 2, "q5")
    assert second.entry(second.current_queue_id).exam_id == "Y"  # type: ignore[union-attr]
    assert statuses(second) == {"X": "completed", "Y": "waiting"}


def test_a_whole_day_ends_where_it_began_and_leaves_a_row_for_each_step():
    journey = patient("UNREGISTERED", [booking("X")])
    steps = [
        ("scan_nfc", "ARRIVED"),
        ("register", "REGISTERED"),
        ("confirm_arrival", "WAITING"),
        ("call_patient", "CALLED"),
        ("enter_exam_room", "IN_PROGRESS"),
        ("complete_exam", "COMPLETED"),
        ("make_payment", "PAYMENT"),
        ("make_payment", "FINISHED"),
        ("leave_hospital", "UNREGISTERED"),
    ]
    for position, (name, state) in enumerate(steps):
        done = decided(journey, action(name, number=30 + position))
        assert done.journey.state == state
        assert done.journey.journey_version == journey.journey_version + 1
        assert len(done.transitions) == 1
        journey = done.journey
    assert (journey.visit_id, journey.current_queue_id, journey.leg) == (None, None, 0)


def test_payment_takes_two_steps_with_two_actions():
    first = decided(patient("COMPLETED"), action("make_payment", PATIENT)).journey
    assert first.state == "PAYMENT"
    assert decided(first, action("make_payment", PATIENT)).journey.state == "FINISHED"


def test_a_second_visit_of_a_day_begins_with_an_id_and_legs_of_its_own():
    left = walked(patient("FINISHED", entries=[entry(1, state="completed")], current=1), "leave_hospital")
    again = decided(left, action("scan_nfc", PATIENT, number=8)).journey
    assert (again.visit_id, again.leg, again.current_queue_id) == ("v8", 0, None)
    assert again.entry("q1") is not None  # type: ignore[arg-type]


# Who may do what.


def test_staff_may_do_what_patients_do_and_it_counts_as_theirs():
    done = decided(patient("ARRIVED"), action("register", STAFF))
    assert done.transitions[0].trigger_type == "staff_action"
    assert decided(patient(), action("scan_nfc", STAFF)).transitions[0].trigger_type == "nfc_tag"


def test_a_completed_exam_counts_as_an_action_of_the_one_who_completed_it():
    before = patient("IN_PROGRESS", entries=[entry(1, state="in_progress")], current=1)
    assert decided(before, action("complete_exam", PATIENT)).transitions[0].trigger_type == "patient_action"
    assert decided(before, action("complete_exam", STAFF)).transitions[0].trigger_type == "staff_action"


@pytest.mark.parametrize("name", ["call_patient", "start_exam", "mark_no_show", "cancel_appointment"])
def test_a_patient_may_never_send_an_action_of_the_staff(name: str):
    before = patient("WAITING", entries=[entry(1)], current=1)
    assert refused(before, action(name, PATIENT)).code is RefusalCode.FORBIDDEN
    everything = Actor(Role.KIOSK, frozenset(RULES.actions))
    assert refused(before, action(name, everything)).code is RefusalCode.FORBIDDEN


def test_a_kiosk_may_do_only_what_it_is_granted():
    assert decided(patient("ARRIVED"), action("register", ENTRANCE)).journey.state == "REGISTERED"
    refusal = refused(patient("COMPLETED"), action("make_payment", ENTRANCE))
    assert refusal.code is RefusalCode.FORBIDDEN
    assert refusal.available_actions == ("confirm_arrival",)


TILL = Actor(Role.KIOSK, frozenset({"make_payment"}))


@pytest.mark.parametrize("payload", [{}, {"receipt_id": ""}, {"receipt_id": "7" * 201}, {"receipt_id": 7}, {"id": "7"}])
def test_a_kiosk_does_not_take_a_payment_without_a_receipt(payload: dict[str, object]):
    for state in ("COMPLETED", "PAYMENT"):
        refusal = refused(patient(state), action("make_payment", TILL, payload=payload))
        assert (refusal.code, refusal.journey_state) == (RefusalCode.PROOF_MISSING, state)
        assert refusal.available_actions == ("make_payment",)


@pytest.mark.parametrize("receipt", ["7", "7" * 200])
def test_a_kiosk_takes_a_payment_with_a_receipt(receipt: str):
    paid = action("make_payment", TILL, payload={"receipt_id": receipt})
    first = decided(patient("COMPLETED"), paid).journey
    assert (first.state, decided(first, paid).journey.state) == ("PAYMENT", "FINISHED")


@pytest.mark.parametrize("actor", [PATIENT, STAFF])
def test_a_patients_app_and_staff_need_no_receipt(actor: Actor):
    assert decided(patient("COMPLETED"), action("make_payment", actor)).journey.state == "PAYMENT"


def test_a_receipt_opens_no_payment_to_a_kiosk_that_is_not_granted_it():
    paid = action("make_payment", ENTRANCE, payload={"receipt_id": "7"})
    assert refused(patient("COMPLETED"), paid).code is RefusalCode.FORBIDDEN


def test_a_payment_without_a_receipt_that_the_state_does_not_allow_is_refused_for_the_state():
    assert refused(patient("ARRIVED"), action("make_payment", TILL)).code is RefusalCode.NOT_ALLOWED


@pytest.mark.parametrize("name", list(RULES.actions))
def test_the_system_itself_sends_no_action(name: str):
    assert refused(patient("ARRIVED"), action(name, SYSTEM)).code is RefusalCode.FORBIDDEN


def test_nobody_can_send_a_days_end():
    for actor in (PATIENT, STAFF, SYSTEM):
        assert refused(patient("WAITING"), action("close_day", actor)).code is RefusalCode.UNKNOWN_ACTION


# Refusals.


@pytest.mark.parametrize("name", ["", "scan", "SCAN_NFC", "__class__", "x" * 100_000, "\ud800"])
def test_an_unknown_action_is_refused_with_the_state_and_what_is_allowed_now(name: str):
    refusal = refused(patient("ARRIVED"), action(name, PATIENT))
    assert (refusal.code, refusal.journey_state) == (RefusalCode.UNKNOWN_ACTION, "ARRIVED")
    assert refusal.available_actions == ("register",)
    assert len(refusal.message) < 200


def test_every_refusal_has_a_sentence_that_names_action_and_state():
    entries = [entry(1)]
    cases = [
        (patient("ARRIVED"), action("confirm_arrival"), "confirm_arrival is not allowed in state ARRIVED."),
        (patient("ARRIVED"), action("call_patient", PATIENT), "call_patient may not be sent by this sender."),
        (patient("ARRIVED"), action("dance"), "'dance' is not an action."),
        (
            patient("WAITING", entries=entries, current=1),
            action("call_patient", entry=5),
            "call_patient names no queue entry or appointment of this patient today.",
        ),
    ]
    for journey, asked, message in cases:
        assert refused(journey, asked).message == message


@pytest.mark.parametrize("actor", [PATIENT, STAFF, ENTRANCE, SYSTEM])
@pytest.mark.parametrize("state", RULES.journey_states)
def test_available_actions_are_those_that_decide_accepts(state: str, actor: Actor):
    entry_state = RULES.journey_to_queue.get(state)
    entries = [entry(1, state=entry_state)] if entry_state else []
    journey = replace(patient(state, [booking("X")], entries, 1 if entries else None), leg=1 if entries else 0)
    accepted = [
        name for name in RULES.actions if not hasattr(decide(RULES, journey, action(name, actor)), "available_actions")
    ]
    assert list(available_actions(RULES, journey, actor)) == accepted


def test_a_decision_says_which_bookings_it_changed():
    before = patient("CALLED", [booking("X", status="waiting")], [entry(1, state="called")], 1)
    done = decided(before, action("start_exam"))
    assert done.appointment_changes == (
        AppointmentChange(before.appointments[0].appointment_id, "waiting", "in_progress"),
    )
    assert states(done.journey) == {"q1": "in_progress"}
