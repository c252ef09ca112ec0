"""The table of conflicts, with a named case for each row. It is pure, so every case is a value."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from sync.central.conflicts.evidence import Evidence, Visit
from sync.central.conflicts.resolution import Resolution
from sync.central.conflicts.resolve import resolve, resolve_for_staff
from sync.clock import ClockReading
from sync.journey.definitions import read, shipped
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
    VisitId,
)
from sync.journey.rules import change_entry, decide
from sync.protocol import Code, Intent, PriorVerdict, Verdict
from tests.site_rules import rule_of, with_changed

RULES = shipped()
DAY, DAY_BEFORE = "2026-03-02", "2026-03-01"
NOW, EARLIER = 1_772_409_600_000, 1_772_409_000_000
DESK = Exam(ExamId("DESK"), "Desk", "Desk", "0")
VISIT, OTHER = VisitId("v-one"), VisitId("v-two")
EVERYTHING = frozenset(RULES.actions_by("patient"))
ALL = (
    "scan_nfc",
    "register",
    "confirm_arrival",
    "call_patient",
    "start_exam",
    "complete_exam",
    "make_payment",
    "make_payment",
    "leave_hospital",
)


def bookings(status: str = "booked") -> tuple[Appointment, ...]:
    return tuple(
        Appointment(AppointmentId(name), ExamId(exam), exam, "1", NOW + place, status)
        for place, (name, exam) in enumerate([("A1", "X"), ("A2", "E")])
    )


def journey_after(*actions: str, day: str = DAY) -> Journey:
    """The journey of a patient with two bookings after these actions, all done at the centre itself."""
    journey = Journey(PatientId("P"), "UNREGISTERED", day, appointments=bookings())
    for number, name in enumerate(actions):
        opens = Opens(VISIT, QueueId(f"q{number}"), f"C-{number:03d}", DESK)
        outcome = decide(RULES, journey, Action(ActionId(str(number)), name, STAFF, NOW, opens))
        assert isinstance(outcome, Decision), outcome
        journey = outcome.journey
    return journey


def visit_of(journey: Journey, *actions: str) -> Visit:
    """A visit whose history holds these actions, each with its leg."""
    leg, done = 0, set()
    for name in actions:
        leg += name == "confirm_arrival"
        done.add((name, leg))
    return Visit(VISIT, journey, frozenset(done))


def known_after(*actions: str, **changes: Any) -> Evidence:
    """The evidence about the patient after these actions of one visit."""
    journey = journey_after(*actions)
    evidence = Evidence(
        rules=RULES,
        grants=EVERYTHING,
        walk_in=DESK,
        today=DAY,
        day=DAY,
        received_ms=NOW,
        arrived_ms=EARLIER,
        subject=PatientId("P"),
        journey=journey,
        card_holder=PatientId("P"),
        binding_holder=PatientId("P"),
        visit=visit_of(journey, *actions) if actions else None,
    )
    return replace(evidence, **changes)


def intent(action_type: str, leg: int = 0, state: str = "", **changes: Any) -> Intent:
    """An action as a kiosk pushes it."""
    fields: dict[str, Any] = {
        "site_id": "S",
        "kiosk_id": "K",
        "epoch": 1,
        "seq": 1,
        "action_id": "a",
        "action_type": action_type,
        "patient_id": "P",
        "visit_id": VISIT,
        "leg": leg,
        "queue_id": "q-kiosk",
        "queue_number": "B-001",
        "base_version": 0,
        "definitions_version": 1,
        "site_day": DAY,
        "clock": ClockReading(NOW, 0, "boot", True),
        "journey_state": state,
        "appointment_ids": ("A1", "A2"),
    }
    return Intent(**(fields | changes))


def told(resolution: Resolution) -> tuple[str, str, int, str]:
    return (resolution.verdict, resolution.code, resolution.conflict, resolution.place)


def test_an_action_without_a_conflict_is_applied_to_todays_journey():
    found = resolve(known_after(), intent("scan_nfc", state="UNREGISTERED"))
    assert told(found) == ("applied", "ok", 0, "today")
    assert found.visit_id == VISIT
    assert found.decision is not None
    assert found.decision.journey.state == "ARRIVED"


def test_the_last_action_of_a_visit_still_names_its_visit():
    evidence = known_after(*ALL[:-1])
    found = resolve(evidence, intent("leave_hospital", 1, "FINISHED"))
    assert told(found) == ("applied", "ok", 0, "today")
    assert found.visit_id == VISIT


def test_a_named_exam_is_the_exam_of_the_action():
    evidence = known_after("scan_nfc", "register", "confirm_arrival", "call_patient")
    found = resolve(evidence, intent("enter_exam_room", 1, "CALLED", payload={"exam_id": "X"}))
    assert told(found) == ("applied", "ok", 0, "today")
    evidence = replace(evidence, changed_elsewhere=True)
    found = resolve(evidence, intent("enter_exam_room", 1, "CALLED", payload={"exam_id": "E"}))
    assert told(found) == ("superseded", "moved_on", 0, "nowhere")


def test_case_1_a_visit_opened_at_another_kiosk_meanwhile_is_an_alias_of_the_first():
    evidence = known_after("scan_nfc", "register", visit=None, unseen_visit=VISIT)
    found = resolve(evidence, intent("scan_nfc", visit_id=OTHER))
    assert told(found) == ("merged", "visit_alias", 1, "alias")
    assert found.visit_id == VISIT


def test_case_1_a_visit_that_is_over_meanwhile_still_counts_as_the_visit_that_was_opened_twice():
    evidence = known_after(*ALL, visit=None, unseen_visit=VISIT)
    assert told(resolve(evidence, intent("scan_nfc", visit_id=OTHER))) == ("merged", "visit_alias", 1, "alias")


def test_case_1_an_opening_by_a_kiosk_that_began_its_day_too_early_is_the_visit_under_way():
    evidence = known_after("scan_nfc", visit=None)
    found = resolve(evidence, intent("scan_nfc", visit_id=OTHER))
    assert told(found) == ("merged", "visit_alias", 1, "alias")
    assert found.visit_id == VISIT


def test_case_1_a_visit_that_is_known_is_not_opened_again():
    evidence = known_after("scan_nfc")
    assert told(resolve(evidence, intent("scan_nfc"))) == ("merged", "already_so", 1, "nowhere")


def test_case_1_the_second_number_stays_an_alias_of_the_entry_and_the_earlier_arrival_counts():
    evidence = known_after("scan_nfc", "register", "confirm_arrival")
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("merged", "already_so", 1, "today")
    assert found.decision is not None
    entry = found.decision.journey.current
    assert entry is not None
    assert (entry.queue_number, entry.label_aliases, entry.opened_ms) == ("C-002", ("B-001",), EARLIER)
    assert found.decision.journey.journey_version == evidence.journey.journey_version + 1
    assert found.decision.transitions == ()


@pytest.mark.parametrize(
    ("arrived_ms", "number"),
    [(None, ""), (NOW + 1, ""), (None, "C-002")],
    ids=["untrusted time", "later arrival", "the number that the entry has"],
)
def test_case_1_a_second_confirmation_with_nothing_new_changes_nothing(arrived_ms: int | None, number: str):
    evidence = known_after("scan_nfc", "register", "confirm_arrival", arrived_ms=arrived_ms)
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED", queue_number=number))
    assert told(found) == ("merged", "already_so", 1, "today")
    assert found.decision is None


def test_case_1_an_entry_that_staff_opened_is_the_one_place_in_line_too():
    evidence = known_after("scan_nfc", "register", "confirm_arrival")
    entry = evidence.journey.current
    assert entry is not None
    by_staff = msgspec.structs.replace(evidence.journey, entries=(msgspec.structs.replace(entry, leg=0),))
    evidence = replace(evidence, journey=by_staff, visit=visit_of(by_staff))
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("merged", "already_so", 1, "today")


def test_case_1_an_opening_that_the_rules_allow_within_a_visit_begins_another_one():
    """At this site a person who has paid may come back without having left."""
    moves = {**rule_of(RULES.document, "scan_nfc")["moves"], "FINISHED": "ARRIVED"}
    rules = read(with_changed(RULES.document, "scan_nfc", moves=moves))
    evidence = known_after(*ALL[:-1], rules=rules, visit=None)
    found = resolve(evidence, intent("scan_nfc", 0, "FINISHED", visit_id=OTHER))
    assert told(found) == ("applied", "ok", 0, "today")
    assert found.visit_id == OTHER


def test_case_1_the_second_number_becomes_an_alias_of_the_entry_of_its_leg_whichever_entry_is_the_current_one():
    evidence = known_after("scan_nfc", "register", "confirm_arrival")
    (entry,) = evidence.journey.entries
    by_staff = msgspec.structs.replace(entry, queue_id=QueueId("by staff"), leg=0)
    journey = msgspec.structs.replace(evidence.journey, entries=(entry, by_staff), current_queue_id=by_staff.queue_id)
    found = resolve(replace(evidence, journey=journey), intent("confirm_arrival", 0, "REGISTERED"))
    assert found.decision is not None
    assert [each.label_aliases for each in found.decision.journey.entries] == [("B-001",), ()]


def test_case_2_a_second_registration_merges():
    evidence = known_after("scan_nfc", "register")
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("merged", "already_so", 0, "nowhere")


def test_case_2_a_second_registration_merges_though_the_journey_went_on():
    evidence = known_after("scan_nfc", "register", "confirm_arrival")
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("merged", "already_so", 5, "nowhere")


def cancelled(evidence: Evidence, *appointment_ids: str) -> Evidence:
    appointments = tuple(
        msgspec.structs.replace(a, status="cancelled") if a.appointment_id in appointment_ids else a
        for a in evidence.journey.appointments
    )
    journey = msgspec.structs.replace(evidence.journey, appointments=appointments)
    return replace(evidence, journey=journey, visit=evidence.visit and replace(evidence.visit, history=journey))


def test_case_3_a_registration_for_a_booking_that_staff_cancelled_needs_staff():
    evidence = cancelled(known_after("scan_nfc"), "A2")
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("needs_staff", "cancelled", 3, "nowhere")


def test_case_3_an_arrival_for_a_booking_that_staff_cancelled_needs_staff():
    evidence = cancelled(known_after("scan_nfc", "register"), "A1")
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("needs_staff", "cancelled", 3, "nowhere")


def test_case_3_an_arrival_is_for_the_next_booking_alone():
    evidence = cancelled(known_after("scan_nfc", "register"), "A2")
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("applied", "ok", 0, "today")


def test_case_3_a_booking_that_the_person_was_not_shown_is_no_conflict():
    evidence = cancelled(known_after("scan_nfc"), "A1")
    found = resolve(evidence, intent("register", 0, "ARRIVED", appointment_ids=("A2",)))
    assert told(found) == ("applied", "ok", 0, "today")


@pytest.mark.parametrize(
    ("action", "moved", "verdict"),
    [
        ("register", "A2", "needs_staff"),
        ("confirm_arrival", "A1", "needs_staff"),
        ("confirm_arrival", "A2", "applied"),
    ],
)
def test_case_3_a_booking_that_was_shown_and_is_of_another_day_by_now_needs_staff(
    action: str, moved: str, verdict: str
):
    done = ("scan_nfc",) if action == "register" else ("scan_nfc", "register")
    evidence = known_after(*done, moved=frozenset({moved}))
    left = tuple(each for each in evidence.journey.appointments if each.appointment_id != moved)
    evidence = replace(evidence, journey=msgspec.structs.replace(evidence.journey, appointments=left))
    found = resolve(evidence, intent(action, 0, evidence.journey.state))
    assert told(found)[0] == verdict


def test_case_3_an_arrival_whose_entry_staff_cancelled_needs_staff():
    evidence = known_after("scan_nfc", "register", "confirm_arrival", "cancel_appointment")
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("needs_staff", "cancelled", 3, "nowhere")


def test_case_3_a_booking_that_was_cancelled_concerns_no_action_of_an_exam_under_way():
    evidence = cancelled(known_after("scan_nfc", "register", "confirm_arrival", "call_patient"), "A2")
    found = resolve(evidence, intent("enter_exam_room", 1, "CALLED"))
    assert told(found) == ("applied", "ok", 0, "today")


def test_case_3_a_booking_that_was_cancelled_after_the_registration_had_moved_on_is_no_conflict():
    evidence = cancelled(known_after("scan_nfc", "register", "confirm_arrival"), "A2")
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("merged", "already_so", 5, "nowhere")


def test_case_4_an_arrival_confirmed_after_the_call_is_superseded_and_its_number_stays_an_alias():
    evidence = known_after("scan_nfc", "register", "confirm_arrival", "call_patient")
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("superseded", "moved_on", 4, "today")
    assert found.decision is not None
    entry = found.decision.journey.current
    assert entry is not None
    assert (entry.state, entry.label_aliases, entry.opened_ms) == ("called", ("B-001",), NOW)


def test_case_5_an_arrival_for_an_earlier_exam_never_queues_the_patient_again():
    evidence = known_after(*ALL[:6], "confirm_arrival")
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("superseded", "earlier_leg", 5, "today")
    assert found.decision is not None
    labels = [(entry.leg, entry.label_aliases) for entry in found.decision.journey.entries]
    assert labels == [(1, ("B-001",)), (2, ())]
    assert {entry.opened_ms for entry in found.decision.journey.entries} == {NOW}, "the place in line is of the past"
    assert found.decision.journey.state == "WAITING"


def test_case_5_an_earlier_exam_whose_entry_is_unknown_has_no_place_for_the_number():
    evidence = known_after(*ALL[:6], "confirm_arrival")
    journey = msgspec.structs.replace(evidence.journey, entries=evidence.journey.entries[1:])
    found = resolve(replace(evidence, journey=journey), intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("superseded", "earlier_leg", 5, "today")
    assert found.decision is None


def test_case_5_another_action_of_an_earlier_exam_is_superseded():
    evidence = known_after(*ALL[:6], "confirm_arrival")
    found = resolve(evidence, intent("enter_exam_room", 1, "CALLED"))
    assert told(found) == ("superseded", "earlier_leg", 5, "nowhere")


def ended_yesterday(*actions: str, **changes: Any) -> Evidence:
    """Evidence about a visit of yesterday, before any action of today."""
    history = journey_after(*actions, day=DAY_BEFORE)
    blank = Journey(PatientId("P"), "UNREGISTERED", DAY, journey_version=9, appointments=bookings())
    return replace(known_after(), journey=blank, visit=visit_of(history, *actions), day=DAY_BEFORE, **changes)


def test_case_6_an_action_of_a_day_that_ended_goes_into_the_history_of_its_visit():
    found = resolve(ended_yesterday("scan_nfc", "register"), intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("applied", "late", 6, "history")
    assert found.decision is not None
    assert found.decision.journey.site_day == DAY_BEFORE
    assert found.visit_id == VISIT


def test_case_6_a_late_action_of_a_visit_that_was_never_opened_needs_staff():
    evidence = replace(ended_yesterday(), visit=None)
    found = resolve(evidence, intent("register", 0, "ARRIVED", site_day=DAY_BEFORE))
    assert told(found) == ("needs_staff", "not_allowed", 0, "nowhere")


def test_case_6_an_opening_of_a_day_that_ended_opens_a_visit_of_that_day():
    evidence = replace(ended_yesterday(), visit=None)
    found = resolve(evidence, intent("scan_nfc", state="UNREGISTERED", site_day=DAY_BEFORE))
    assert told(found) == ("applied", "late", 6, "history")
    assert found.decision is not None
    assert found.decision.journey.site_day == DAY_BEFORE
    assert found.visit_id == VISIT


def test_case_6_a_late_opening_that_another_kiosk_sent_first_is_an_alias():
    evidence = replace(ended_yesterday(), visit=None, unseen_visit=OTHER)
    found = resolve(evidence, intent("scan_nfc"))
    assert told(found) == ("merged", "visit_alias", 1, "alias")
    assert found.visit_id == OTHER


def test_case_6_a_late_action_that_was_done_before_merges():
    found = resolve(ended_yesterday("scan_nfc", "register"), intent("register", 0, "ARRIVED"))
    assert told(found) == ("merged", "already_so", 6, "nowhere")


def test_case_6_a_late_action_that_fits_nowhere_is_superseded():
    found = resolve(ended_yesterday("scan_nfc", "register"), intent("complete_exam", 1, "IN_PROGRESS"))
    assert told(found) == ("superseded", "late", 6, "nowhere")


def test_case_6_the_last_action_of_a_late_visit_still_names_its_visit():
    found = resolve(ended_yesterday(*ALL[:-1]), intent("leave_hospital", 1, "FINISHED"))
    assert told(found) == ("applied", "late", 6, "history")
    assert found.visit_id == VISIT


def test_case_6_a_visit_that_outlasts_the_night_is_not_late():
    evidence = known_after("scan_nfc", "register")
    overnight = msgspec.structs.replace(evidence.journey, site_day=DAY)
    evidence = replace(evidence, journey=overnight, visit=Visit(VISIT, overnight, frozenset()), day=DAY_BEFORE)
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("applied", "ok", 0, "today")


def test_case_7_a_card_that_another_patient_holds_now_changes_neither_patient():
    evidence = known_after("scan_nfc", card_holder=PatientId("Q"))
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("needs_staff", "rebound", 7, "nowhere")


def test_case_7_a_binding_of_another_patient_changes_neither_patient():
    evidence = known_after("scan_nfc", binding_holder=PatientId("Q"))
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("needs_staff", "rebound", 7, "nowhere")


def test_case_7_a_card_that_is_no_longer_bound_was_this_patients():
    evidence = known_after("scan_nfc", card_holder=None, binding_holder=None)
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("applied", "ok", 0, "today")


@pytest.mark.parametrize(
    "known", [{}, {"subject": None, "card_holder": None, "binding_holder": None}, {"card_holder": PatientId("Q")}]
)
def test_case_7_a_card_that_was_reported_lost_changes_nobody_whoever_holds_it(known: dict[str, PatientId | None]):
    evidence = known_after(card_blocked=True, **known)
    found = resolve(evidence, intent("scan_nfc", provisional=evidence.subject is None))
    assert told(found) == ("needs_staff", "blocked_card", 7, "nowhere")


@pytest.mark.parametrize(("provisional", "code"), [(True, "unknown_card"), (False, "unknown_patient")])
def test_case_8_a_patient_unknown_to_the_centre_needs_staff(provisional: bool, code: str):
    evidence = known_after(subject=None, card_holder=None, binding_holder=None)
    found = resolve(evidence, intent("scan_nfc", provisional=provisional))
    assert told(found) == ("needs_staff", code, 8, "nowhere")


def test_case_8_a_card_that_only_the_centre_knows_means_its_holder():
    found = resolve(known_after(), intent("scan_nfc", patient_id="card-1", provisional=True))
    assert told(found) == ("applied", "ok", 0, "today")


def test_case_12_an_action_made_under_rules_that_are_gone_needs_staff():
    evidence = known_after(rules=None)
    assert told(resolve(evidence, intent("scan_nfc"))) == ("needs_staff", "old_rules", 12, "nowhere")


def test_case_15_an_action_made_on_top_of_one_that_waits_for_staff_waits_with_it():
    evidence = known_after("scan_nfc", visit_waits=True)
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("needs_staff", "depends", 15, "nowhere")


def test_case_15_an_action_of_a_visit_that_was_never_opened_waits_with_its_opening():
    evidence = known_after(subject=None, visit_waits=True)
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("needs_staff", "depends", 15, "nowhere")


def test_case_15_an_action_that_fits_the_patients_journey_depends_on_nothing():
    evidence = known_after("scan_nfc", visit_waits=True)
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("applied", "ok", 0, "today")


PAID = ("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam")


RECEIPT = {"receipt_id": "R-1"}


def test_case_17_a_payment_that_fits_is_applied():
    found = resolve(known_after(*PAID), intent("make_payment", 1, "COMPLETED", payload=RECEIPT))
    assert told(found) == ("applied", "ok", 0, "today")


@pytest.mark.parametrize(
    ("evidence", "action"),
    [
        (known_after(*PAID, "make_payment"), intent("make_payment", 1, "COMPLETED")),
        (known_after(*ALL), intent("make_payment", 1, "PAYMENT")),
        (known_after(*PAID, "confirm_arrival"), intent("make_payment", 1, "COMPLETED")),
        (known_after(*PAID, *PAID[2:]), intent("make_payment", 1, "COMPLETED", payload=RECEIPT)),
        (ended_yesterday(*PAID), intent("make_payment", 1, "COMPLETED")),
        (known_after(*PAID, visit=None), intent("make_payment", 1, "COMPLETED")),
    ],
    ids=[
        "the other step was paid elsewhere",
        "visit over",
        "earlier leg",
        "same state of a later leg",
        "day over",
        "unknown visit",
    ],
)
def test_case_17_money_that_does_not_fit_is_never_dropped_and_never_guessed_at(evidence: Evidence, action: Intent):
    assert told(resolve(evidence, action)) == ("needs_staff", "money", 17, "nowhere")


def test_case_17_a_payment_after_the_last_one_is_never_taken_for_it():
    evidence = known_after(*PAID, "make_payment", "make_payment")
    found = resolve(evidence, intent("make_payment", 1, "FINISHED", payload=RECEIPT))
    assert told(found) == ("needs_staff", "not_allowed", 0, "nowhere")


def test_case_17_a_payment_that_the_rules_refuse_where_the_kiosk_made_it_needs_staff():
    evidence = known_after("scan_nfc", changed_elsewhere=True)
    found = resolve(evidence, intent("make_payment", 0, "ARRIVED", payload=RECEIPT))
    assert told(found) == ("needs_staff", "not_allowed", 0, "nowhere")


@pytest.mark.parametrize("payload", [{}, {"receipt_id": ""}, {"receipt_id": 7}, {"receipt": "R-1"}])
def test_case_18_a_payment_of_a_kiosk_without_a_receipt_waits_for_staff(payload: dict[str, Any]):
    found = resolve(known_after(*PAID), intent("make_payment", 1, "COMPLETED", payload=payload))
    assert told(found) == ("needs_staff", "proof_missing", 18, "nowhere")


def test_case_18_a_receipt_that_counts_for_another_visit_waits_for_staff():
    evidence = known_after(*PAID, proof_used=True)
    found = resolve(evidence, intent("make_payment", 1, "COMPLETED", payload=RECEIPT))
    assert told(found) == ("needs_staff", "proof_used", 18, "nowhere")


def test_case_18_staff_may_apply_a_payment_without_a_receipt():
    found = resolve_for_staff(known_after(*PAID), intent("make_payment", 1, "COMPLETED"))
    assert found is not None
    assert told(found) == ("applied", "ok", 0, "today")


def test_an_action_that_the_rules_do_not_have_needs_staff():
    assert told(resolve(known_after(), intent("fly"))) == ("needs_staff", "not_allowed", 0, "nowhere")


def test_an_action_that_the_kiosk_is_not_granted_needs_staff():
    evidence = known_after(grants=frozenset({"scan_nfc"}))
    assert told(resolve(evidence, intent("register"))) == ("needs_staff", "forbidden", 0, "nowhere")


def test_an_action_of_staff_is_forbidden_to_a_kiosk():
    evidence = known_after(grants=frozenset({"call_patient"}))
    assert told(resolve(evidence, intent("call_patient"))) == ("needs_staff", "forbidden", 0, "nowhere")


def test_an_action_of_a_visit_that_is_over_was_done_or_is_superseded():
    evidence = known_after(*ALL)
    assert told(resolve(evidence, intent("leave_hospital", 1, "FINISHED"))) == ("merged", "already_so", 0, "nowhere")
    found = resolve(evidence, intent("confirm_arrival", 3, "COMPLETED"))
    assert told(found) == ("superseded", "moved_on", 0, "nowhere")


def test_an_action_of_a_visit_that_was_never_opened_needs_staff():
    found = resolve(known_after("scan_nfc", visit=None), intent("register", visit_id=OTHER))
    assert told(found) == ("needs_staff", "not_allowed", 0, "nowhere")


def test_an_action_of_an_exam_that_the_centre_has_not_reached_needs_staff():
    found = resolve(known_after("scan_nfc", "register"), intent("enter_exam_room", 1, "CALLED"))
    assert told(found) == ("needs_staff", "not_allowed", 0, "nowhere")


def test_an_action_of_an_exam_that_the_centre_has_not_reached_needs_staff_whatever_changed_elsewhere():
    evidence = known_after("scan_nfc", "register", changed_elsewhere=True)
    found = resolve(evidence, intent("enter_exam_room", 1, "CALLED"))
    assert told(found) == ("needs_staff", "not_allowed", 0, "nowhere")
    found = resolve(evidence, intent("confirm_arrival", 1, "COMPLETED"))
    assert told(found) == ("needs_staff", "not_allowed", 0, "nowhere")


def test_an_opening_is_of_no_exam_whatever_leg_it_names():
    assert told(resolve(known_after(), intent("scan_nfc", 3, "UNREGISTERED"))) == ("applied", "ok", 0, "today")


def test_an_effect_that_a_staff_action_had_before_is_already_so():
    evidence = known_after("scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam")
    assert told(resolve(evidence, intent("enter_exam_room", 1, "CALLED"))) == ("merged", "already_so", 0, "nowhere")


def test_an_earlier_action_of_the_leg_is_already_so_if_it_was_done():
    actions = ("scan_nfc", "register", "confirm_arrival", "call_patient", "enter_exam_room", "complete_exam")
    evidence = known_after(*actions)
    assert told(resolve(evidence, intent("enter_exam_room", 1, "CALLED"))) == ("merged", "already_so", 0, "nowhere")


def test_an_action_that_a_change_elsewhere_left_behind_is_superseded():
    evidence = known_after("scan_nfc", "register", "confirm_arrival", changed_elsewhere=True)
    found = resolve(evidence, intent("enter_exam_room", 1, "CALLED"))
    assert told(found) == ("superseded", "moved_on", 0, "nowhere")


def test_a_refused_action_on_an_unchanged_journey_needs_staff():
    evidence = known_after("scan_nfc", "register", "confirm_arrival")
    found = resolve(evidence, intent("enter_exam_room", 1, "CALLED"))
    assert told(found) == ("needs_staff", "not_allowed", 0, "nowhere")


def test_an_arrival_for_the_next_exam_is_not_already_so_where_staff_reopened_the_last():
    evidence = known_after("scan_nfc", "register", "confirm_arrival", changed_elsewhere=True)
    found = resolve(evidence, intent("confirm_arrival", 1, "COMPLETED"))
    assert told(found) == ("superseded", "moved_on", 0, "nowhere")


def test_a_time_that_cannot_be_trusted_gives_no_place_in_line():
    evidence = known_after("scan_nfc", "register", arrived_ms=None)
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert found.decision is not None
    assert found.decision.opened is not None
    assert found.decision.opened.opened_ms == NOW


def test_a_time_that_can_be_trusted_gives_the_place_in_line():
    found = resolve(known_after("scan_nfc", "register"), intent("confirm_arrival", 0, "REGISTERED"))
    assert found.decision is not None
    assert found.decision.opened is not None
    assert found.decision.opened.opened_ms == EARLIER


def test_a_correction_by_staff_is_not_undone_by_an_older_action():
    evidence = known_after(
        "scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", changed_elsewhere=True
    )
    current = evidence.journey.current_queue_id
    assert current is not None
    corrected = change_entry(RULES, evidence.journey, current, "waiting")
    assert isinstance(corrected, Decision)
    evidence = replace(evidence, journey=corrected.journey, visit=visit_of(corrected.journey))
    found = resolve(evidence, intent("complete_exam", 1, "IN_PROGRESS"))
    assert told(found) == ("superseded", "moved_on", 0, "nowhere")


# Case 2: the registration was done before, with other answers.


def registered_elsewhere(**recorded_payload: object) -> Evidence:
    return known_after("scan_nfc", "register", recorded_payload=recorded_payload)


def test_case_2_other_answers_go_to_staff_and_the_journey_goes_on():
    found = resolve(registered_elsewhere(fasting="yes"), intent("register", 0, "ARRIVED", payload={"fasting": "no"}))
    assert told(found) == ("merged", "answers_differ", 2, "nowhere")
    assert found.decision is None


@pytest.mark.parametrize("payload", [{}, {"fasting": "yes"}])
def test_case_2_equal_answers_or_none_merge(payload: dict[str, object]):
    found = resolve(registered_elsewhere(fasting="yes", more=1), intent("register", 0, "ARRIVED", payload=payload))
    assert told(found) == ("merged", "already_so", 0, "nowhere")


def test_case_2_answers_of_a_second_arrival_or_opening_concern_nobody():
    evidence = known_after("scan_nfc", "register", "confirm_arrival", recorded_payload={"note": "a"})
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED", payload={"note": "b"}))
    assert told(found) == ("merged", "already_so", 1, "today")
    found = resolve(evidence, intent("scan_nfc", 0, "UNREGISTERED", payload={"note": "b"}))
    assert told(found) == ("merged", "already_so", 1, "nowhere")


def test_case_2_answers_of_a_first_registration_differ_from_nothing():
    found = resolve(known_after("scan_nfc"), intent("register", 0, "", payload={"fasting": "no"}))
    assert told(found) == ("applied", "ok", 0, "today")


def test_case_2_a_patient_in_the_state_before_registers_again():
    evidence = replace(known_after("scan_nfc"), recorded_payload={"fasting": "yes"})
    evidence = replace(evidence, visit=visit_of(evidence.journey, "scan_nfc", "register"))
    found = resolve(evidence, intent("register", 0, "ARRIVED", payload={"fasting": "no"}))
    assert told(found) == ("applied", "ok", 0, "today")


# Case 13: merged records.


def test_case_13_an_action_of_the_other_of_two_live_visits_needs_staff():
    evidence = known_after("scan_nfc", two_visits=True)
    assert told(resolve(evidence, intent("register", 0, "ARRIVED"))) == ("needs_staff", "two_visits", 13, "nowhere")


# Case 14: a journey that staff corrected.


def test_case_14_a_correction_supersedes_actions_of_kiosks_that_had_not_pulled_it():
    evidence = known_after("scan_nfc", "register", corrected=True)
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED", queue_number=""))
    assert told(found) == ("superseded", "corrected", 14, "nowhere")


def test_case_14_an_action_in_a_visit_whose_opening_was_taken_back_waits_for_staff():
    over = visit_of(journey_after(), "scan_nfc", "register")
    for corrected in (False, True):
        evidence = replace(known_after(), visit=over, denied=True, corrected=corrected)
        found = resolve(evidence, intent("register", 0, "ARRIVED"))
        assert told(found) == ("needs_staff", "corrected", 14, "nowhere")


def test_case_14_a_printed_number_still_becomes_an_alias():
    evidence = known_after("scan_nfc", "register", "confirm_arrival", corrected=True)
    found = resolve(evidence, intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("superseded", "corrected", 14, "today")
    assert found.decision is not None
    current = found.decision.journey.current
    assert current is not None
    assert (current.label_aliases, current.opened_ms) == (("B-001",), NOW), "it moves nobody up"


def test_case_14_only_an_arrival_of_the_visit_under_way_leaves_its_number():
    evidence = known_after("scan_nfc", "register", "confirm_arrival", "call_patient", corrected=True)
    found = resolve(evidence, intent("enter_exam_room", 1, "CALLED"))
    assert told(found) == ("superseded", "corrected", 14, "nowhere")
    elsewhere = Visit(OTHER, evidence.journey, frozenset())
    found = resolve(replace(evidence, visit=elsewhere), intent("confirm_arrival", 0, "REGISTERED", visit_id=OTHER))
    assert told(found) == ("superseded", "corrected", 14, "nowhere")


def test_case_14_money_is_never_superseded():
    evidence = known_after(*ALL[:7], corrected=True)
    assert told(resolve(evidence, intent("make_payment", 1, "IN_PROGRESS")))[:3] == ("needs_staff", "money", 17)


# Case 16: a restored centre judges an action again that its backup lacks.


def prior(verdict: Verdict, code: Code, revision: int = 0) -> PriorVerdict:
    return PriorVerdict(verdict, code, revision)


def test_case_16_the_same_verdict_again_keeps_its_revision():
    evidence = known_after(prior_verdict=prior(Verdict.APPLIED, Code.OK, 2))
    found = resolve(evidence, intent("scan_nfc", state="UNREGISTERED"))
    assert (told(found)[:2], found.revision, found.reversed) == (("applied", "ok"), 2, False)


def test_case_16_an_action_that_is_no_longer_done_gets_a_new_revision_and_a_case():
    evidence = known_after("scan_nfc", corrected=True, prior_verdict=prior(Verdict.APPLIED, Code.OK, 1))
    found = resolve(evidence, intent("register", 0, "ARRIVED"))
    assert told(found)[:3] == ("superseded", "corrected", 16)
    assert (found.revision, found.reversed) == (2, True)


def test_case_16_an_action_that_someone_else_has_done_since_the_restore_is_still_done():
    evidence = known_after("scan_nfc", prior_verdict=prior(Verdict.APPLIED, Code.OK))
    found = resolve(evidence, intent("scan_nfc", state="UNREGISTERED"))
    assert told(found)[:3] == ("merged", "already_so", 1)
    assert (found.revision, found.reversed) == (1, False)


def test_case_16_an_action_that_was_not_done_before_is_not_undone_by_another_refusal():
    evidence = known_after("scan_nfc", corrected=True, prior_verdict=prior(Verdict.NEEDS_STAFF, Code.CANCELLED))
    found = resolve(evidence, intent("register", 0, "ARRIVED"))
    assert told(found)[:3] == ("superseded", "corrected", 14)
    assert (found.revision, found.reversed) == (1, False)


@pytest.mark.parametrize(
    "before",
    [(Verdict.MERGED, Code.ALREADY_SO), (Verdict.NEEDS_STAFF, Code.CANCELLED), (Verdict.SUPERSEDED, Code.LATE)],
)
def test_case_16_a_better_verdict_than_before_opens_no_case(before: tuple[Verdict, Code]):
    found = resolve(known_after(prior_verdict=prior(*before)), intent("scan_nfc", state="UNREGISTERED"))
    assert (told(found), found.revision, found.reversed) == (("applied", "ok", 0, "today"), 1, False)


# Actions that staff apply.


def test_staff_may_apply_an_action_in_spite_of_a_conflict():
    evidence = known_after("scan_nfc", visit_waits=True, card_holder=PatientId("Q"), grants=frozenset())
    asked = intent("register", 0, "UNREGISTERED")
    assert told(resolve(evidence, asked))[0] == "needs_staff"
    found = resolve_for_staff(evidence, asked)
    assert found is not None
    assert told(found) == ("applied", "ok", 0, "today")
    assert found.decision is not None
    assert found.decision.transitions[0].trigger_type == "staff_action"


def test_staff_cannot_apply_an_action_that_the_rules_refuse_or_of_no_patient():
    evidence = known_after("scan_nfc")
    assert resolve_for_staff(evidence, intent("leave_hospital", 0, "ARRIVED")) is None
    assert resolve_for_staff(evidence, intent("no_such_action")) is None
    assert resolve_for_staff(replace(evidence, rules=None), intent("register")) is None
    assert resolve_for_staff(replace(evidence, subject=None), intent("register")) is None


def test_an_applied_action_of_a_day_that_has_ended_goes_into_its_history():
    journey = journey_after("scan_nfc", day=DAY_BEFORE)
    evidence = known_after(
        visit=Visit(OTHER, msgspec.structs.replace(journey, visit_id=OTHER), frozenset()), day=DAY_BEFORE
    )
    found = resolve_for_staff(evidence, intent("register", 0, "ARRIVED", visit_id=OTHER))
    assert found is not None
    assert told(found) == ("applied", "late", 0, "history")


def test_an_applied_opening_while_a_visit_is_under_way_means_that_visit():
    found = resolve_for_staff(known_after("scan_nfc", visit=None), intent("scan_nfc", visit_id=OTHER))
    assert found is not None
    assert told(found) == ("merged", "visit_alias", 1, "alias")


# The order of the table, where two rows fit.


@pytest.mark.parametrize(
    ("evidence", "action", "code"),
    [
        (
            known_after("scan_nfc", visit_waits=True, grants=frozenset()),
            intent("confirm_arrival", 0, "REGISTERED"),
            "forbidden",
        ),
        (
            known_after("scan_nfc", visit_waits=True, card_blocked=True),
            intent("confirm_arrival", 0, "REGISTERED"),
            "depends",
        ),
        (known_after(subject=None, card_holder=PatientId("Q")), intent("scan_nfc"), "unknown_patient"),
        (
            known_after("scan_nfc", two_visits=True, card_holder=PatientId("Q")),
            intent("register", 0, "ARRIVED"),
            "rebound",
        ),
        (known_after(*PAID, two_visits=True), intent("make_payment", 0, "COMPLETED"), "two_visits"),
        (known_after(*PAID), intent("make_payment", 0, "COMPLETED"), "money"),
        (known_after(*PAID, corrected=True), intent("make_payment", 1, "COMPLETED"), "proof_missing"),
        (
            known_after("scan_nfc", "register", corrected=True, recorded_payload={"fasting": "yes"}),
            intent("register", 0, "ARRIVED", payload={"fasting": "no"}),
            "corrected",
        ),
        (
            ended_yesterday("scan_nfc", "register", recorded_payload={"fasting": "yes"}),
            intent("register", 0, "ARRIVED", payload={"fasting": "no"}),
            "answers_differ",
        ),
        (
            known_after("scan_nfc", visit=None, day=DAY_BEFORE),
            intent("scan_nfc", 0, "UNREGISTERED", visit_id=OTHER),
            "late",
        ),
        (
            cancelled(known_after("scan_nfc", visit=Visit(OTHER, journey_after("scan_nfc"), frozenset())), "A1", "A2"),
            intent("register", 0, "ARRIVED", visit_id=OTHER),
            "moved_on",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_row_of_the_table_that_fits_decides(evidence: Evidence, action: Intent, code: str):
    assert resolve(evidence, action).code == code


def test_an_entry_that_staff_cancelled_is_no_second_slip_though_the_patient_waits_for_another_exam():
    evidence = known_after("scan_nfc", "register", "confirm_arrival")
    (entry,) = evidence.journey.entries
    other = msgspec.structs.replace(entry, queue_id=QueueId("other"), leg=0)
    journey = msgspec.structs.replace(
        evidence.journey,
        entries=(msgspec.structs.replace(entry, state="cancelled"), other),
        current_queue_id=other.queue_id,
    )
    found = resolve(replace(evidence, journey=journey), intent("confirm_arrival", 0, "REGISTERED"))
    assert told(found) == ("needs_staff", "cancelled", 3, "nowhere")


# Row 19: another system of the hospital decides the action.

ELSEWHERE = {"decided_elsewhere": True}
TOLD = {"decided_elsewhere": True, "has_word": True}


@pytest.mark.parametrize(
    ("evidence", "action", "expected"),
    [
        (known_after(**ELSEWHERE), intent("scan_nfc"), ("decided_elsewhere", 19)),
        (known_after("scan_nfc", **ELSEWHERE), intent("register", 0, "ARRIVED"), ("decided_elsewhere", 19)),
        (known_after("scan_nfc", **ELSEWHERE), intent("leave_hospital", 0, "ARRIVED"), ("decided_elsewhere", 19)),
        (known_after(*PAID, **ELSEWHERE), intent("make_payment", 1, "COMPLETED"), ("proof_missing", 18)),
        (known_after("scan_nfc", card_blocked=True, **ELSEWHERE), intent("register"), ("blocked_card", 7)),
        (known_after("scan_nfc", "register", **TOLD), intent("register", 0, "ARRIVED"), ("already_so", 19)),
        (
            known_after("scan_nfc", "register", recorded_payload={"to": "REGISTERED"}, **TOLD),
            intent("register", 0, "ARRIVED", payload={"fasting": "no"}),
            ("answers_differ", 19),
        ),
        (known_after(*PAID, **TOLD), intent("make_payment", 1, "COMPLETED"), ("already_so", 19)),
        (known_after(*PAID, **ELSEWHERE), intent("make_payment", 0, "COMPLETED"), ("money", 17)),
        (known_after("scan_nfc", visit=None, **TOLD), intent("scan_nfc", visit_id=OTHER), ("visit_alias", 1)),
        (
            known_after("scan_nfc", "register", "confirm_arrival", **TOLD),
            intent("confirm_arrival", 0, "REGISTERED"),
            ("already_so", 1),
        ),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_an_action_that_another_system_decides_is_never_applied_by_the_rules(
    evidence: Evidence, action: Intent, expected: tuple[str, int]
):
    found = resolve(evidence, action)
    assert (found.code, found.conflict) == expected
    assert found.verdict != "applied"


def test_staff_may_apply_what_the_other_system_did_not_confirm():
    found = resolve_for_staff(known_after("scan_nfc", **ELSEWHERE), intent("register", 0, "ARRIVED"))
    assert found is not None
    assert told(found) == ("applied", "ok", 0, "today")
