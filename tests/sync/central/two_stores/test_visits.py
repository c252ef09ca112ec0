"""Conflicts about visits, entries and days (cases 1 and 3 to 6): the patient's journey had moved on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sync.central.imports.whole import read_hospital, take_hospital
from sync.journey.definitions import shipped
from sync.protocol import Code, Verdict
from tests.sync.central.two_stores.acts import finish, rewrite_last, transitions, verdicts
from tests.sync.central.wire import DAY, Centre, Kiosk


def test_case_1_scanned_at_two_offline_kiosks_is_one_visit_with_two_numbers(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.check_in("P1")
    earlier = centre.time()
    centre.time.pass_minutes(3)
    kiosk.check_in("P1")
    kiosk.sync()
    other.sync()
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok")] * 3
    assert verdicts(other) == [("merged", "visit_alias"), ("merged", "already_so"), ("merged", "already_so")]
    journey = centre.journey("P1")
    assert [(e.queue_number, e.label_aliases) for e in journey.entries] == [("A-001", ("B-001",))]
    assert journey.entries[0].opened_ms == earlier
    assert centre.rows("select opened_ms from visits") == [{"opened_ms": earlier}]
    assert kiosk.base("P1") == journey == other.base("P1")
    assert centre.open_cases() == []


def test_case_1_a_visit_that_is_over_is_not_opened_again_by_a_kiosk_that_was_away(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    other.tap("P1")
    centre.time.pass_minutes(1)
    kiosk.check_in("P1")
    kiosk.sync()
    finish(centre, kiosk, "P1")
    other.sync()
    assert other.last() == (Verdict.MERGED, Code.VISIT_ALIAS)
    assert centre.journey("P1").state == "UNREGISTERED"


def test_case_1_a_patient_who_comes_back_after_a_visit_opens_another(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    finish(centre, kiosk, "P1")
    centre.time.pass_minutes(60)
    # This kiosk has pulled nothing all day, but by its clock the visit was over.
    other.tap("P1")
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK)
    assert centre.rows("select ordinal from visits order by ordinal") == [{"ordinal": 1}, {"ordinal": 2}]


def test_case_1_a_kiosk_that_saw_both_visits_opened_both(centre: Centre, kiosk: Kiosk):
    for _ in range(2):
        kiosk.check_in("P1")
        kiosk.sync()
        finish(centre, kiosk, "P1")
    kiosk.tap("P1")
    kiosk.sync()
    assert [row["ordinal"] for row in centre.rows("select ordinal from visits order by ordinal")] == [1, 2, 3]


def test_case_1_of_two_visits_in_one_batch_only_the_first_is_the_alias(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    finish(centre, kiosk, "P1")
    other.reboot()
    other.synchronised = False
    other.tap("P1")
    other.reboot()
    other.sync()
    assert other.last() == (Verdict.MERGED, Code.VISIT_ALIAS)
    other.tap("P1")
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK)


def test_case_3_an_action_for_a_cancelled_booking_needs_staff_and_its_data_is_kept(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    centre.staff("cancel_appointment", "P2", exam_id="X")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok"), ("needs_staff", "cancelled"), ("needs_staff", "depends")]
    assert centre.open_cases() == ["cancelled"]
    assert centre.journey("P2").entries == ()
    assert kiosk.view("P2").state == "ARRIVED"
    case = centre.rows("select patient_id, detail from exceptions where code = 'cancelled'")[0]
    detail = msgspec.json.decode(str(case["detail"]))
    assert case["patient_id"] == "P2"
    assert detail["shown"]["journey_state"] == "ARRIVED"
    assert detail["shown"]["appointment_ids"] == ["A3"]
    assert detail["known"]["journey_state"] == "ARRIVED"


def test_case_3_an_arrival_for_a_booking_that_the_hospital_moved_to_another_day_needs_staff(
    centre: Centre, kiosk: Kiosk
):
    kiosk.check_in("P2")
    moved(centre, "A3", scheduled_at="2026-03-09T10:00")
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "ok"), ("needs_staff", "cancelled"), ("needs_staff", "depends")]
    assert centre.journey("P2").entries == ()


def test_an_arrival_for_a_booking_that_the_hospital_moved_to_another_exam_is_one_for_that_exam(
    centre: Centre, kiosk: Kiosk
):
    kiosk.check_in("P2")
    moved(centre, "A3", exam_id="E")
    kiosk.sync()
    assert {verdict for verdict, _ in verdicts(kiosk)} == {"applied"}
    (entry,) = kiosk.view("P2").entries
    assert (entry.exam_id, entry.appointment_id, entry.queue_number) == ("E", "A3", "A-001")
    assert (entry.moved_from, entry.moved_from_room) == ("Radiology", "1")
    assert centre.journey("P2").entries == (entry,)


def test_a_kiosk_shows_the_entry_that_the_hospital_moved_and_its_room(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    kiosk.sync()
    moved(centre, "A3", exam_id="E")
    kiosk.sync()
    (entry,) = kiosk.view("P2").entries
    assert (entry.exam_id, entry.state, entry.queue_number, entry.moved_from) == ("E", "waiting", "A-001", "Radiology")


def test_a_kiosk_shows_no_wait_for_a_booking_that_the_hospital_cancelled(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    kiosk.sync()
    moved(centre, "A3", status="cancelled")
    kiosk.sync()
    assert kiosk.view("P2").state == "COMPLETED"
    assert [entry.state for entry in kiosk.view("P2").entries] == ["cancelled"]


def moved(centre: Centre, appointment_id: str, **fields: str) -> None:
    """The hospital's document changes a booking."""
    row = {"appointment_id": appointment_id, **fields}
    with centre.store.write() as db:
        take_hospital(db, shipped(), centre.parts.keys, read_hospital({"appointments": [row]}), centre.time())


def test_case_4_a_called_patient_keeps_the_call(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.check_in("P1")
    kiosk.check_in("P1")
    kiosk.sync()
    centre.staff("call_patient", "P1", room="7")
    other.sync()
    assert other.last() == (Verdict.SUPERSEDED, Code.MOVED_ON)
    entry = other.view("P1").current
    assert entry is not None
    assert (entry.state, entry.room, entry.label_aliases) == ("called", "7", ("B-001",))


def test_case_5_a_late_arrival_for_the_first_exam_does_not_queue_the_second(centre: Centre, kiosk: Kiosk, other: Kiosk):
    other.check_in("P1")
    kiosk.check_in("P1")
    kiosk.sync()
    for action in ("call_patient", "start_exam", "complete_exam"):
        centre.staff(action, "P1")
    kiosk.pull()
    kiosk.act("P1", "confirm_arrival")
    kiosk.sync()
    other.sync()
    assert other.last() == (Verdict.SUPERSEDED, Code.EARLIER_LEG)
    journey = centre.journey("P1")
    assert (journey.leg, [(e.exam_id, e.label_aliases) for e in journey.entries]) == (2, [("X", ("B-001",)), ("E", ())])


def test_case_6_yesterdays_attendance_is_kept_and_todays_journey_stays(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    happened = centre.time()
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    assert verdicts(kiosk) == [("applied", "late")] * 3
    assert [tuple(row.values()) for row in centre.rows("select from_state, to_state from verdicts order by seq")] == [
        ("UNREGISTERED", "ARRIVED"),
        ("ARRIVED", "REGISTERED"),
        ("REGISTERED", "WAITING"),
    ]
    journey = centre.journey("P1")
    assert (journey.state, journey.entries, journey.visit_id) == ("UNREGISTERED", (), None)
    assert [row[:3] for row in transitions(centre, "P1")] == [
        ("UNREGISTERED", "scan_nfc", "ARRIVED"),
        ("ARRIVED", "register", "REGISTERED"),
        ("REGISTERED", "confirm_arrival", "WAITING"),
    ]
    visit = centre.rows("select site_day, opened_ms, closed_ms from visits")[0]
    assert visit == {"site_day": DAY, "opened_ms": happened, "closed_ms": centre.time()}
    entry = centre.rows("select site_day, state, queue_number from entries")[0]
    assert entry == {"site_day": DAY, "state": "no_show", "queue_number": "A-001"}
    changes = [tuple(row.values()) for row in centre.rows("select previous, new from entry_history order by position")]
    assert changes == [(None, "waiting"), ("waiting", "no_show")]


def test_case_6_a_visit_that_the_day_ended_continues_in_its_history(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    centre.staff("call_patient", "P1")
    kiosk.pull()
    kiosk.act("P1", "enter_exam_room")
    kiosk.act("P1", "complete_exam")
    kiosk.act("P1", "make_payment", receipt_id="R-1")
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    assert verdicts(kiosk)[3:] == [("applied", "late"), ("applied", "late"), ("needs_staff", "money")]
    assert centre.rows("select state from entries") == [{"state": "completed"}]
    assert centre.journey("P1").state == "UNREGISTERED"


def test_case_6_late_openings_of_one_day_at_two_kiosks_are_one_visit(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    other.tap("P1")
    other.act("P1", "register")
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    other.sync()
    assert verdicts(other) == [("merged", "visit_alias"), ("applied", "late")]
    assert len(centre.rows("select * from visits")) == 1


def test_case_6_a_late_action_with_an_untrusted_clock_is_of_the_day_that_the_kiosk_named(
    centre: Centre, tmp_path: Path
):
    kiosk = Kiosk(tmp_path / "k.db", centre, "K", synchronised=False)
    kiosk.pull()
    kiosk.tap("P1")
    kiosk.reboot()
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.LATE)
    assert centre.rows("select site_day, opened_ms from visits")[0]["site_day"] == DAY


def test_a_visit_of_another_patient_is_no_visit_of_this_one(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    kiosk.tap("P2")
    kiosk.act("P2", "register")
    with kiosk.store.write() as db:
        rewrite_last(db, visit_id=str(centre.journey("P1").visit_id))
    kiosk.sync()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.NOT_ALLOWED)


def test_a_number_printed_twice_stays_and_opens_a_case(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    kiosk.check_in("P2")
    with kiosk.store.write() as db:
        rewrite_last(db, queue_number="A-001")
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert centre.journey("P2").entries[0].queue_number == "A-001"
    assert centre.open_cases() == ["duplicate_number"]


def test_a_number_on_a_second_slip_and_on_another_patients_slip_opens_a_case(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    """The second slip is printed first."""
    kiosk.check_in("P1")
    other.check_in("P1")
    kiosk.sync()
    other.sync()
    assert centre.journey("P1").entries[0].label_aliases == ("B-001",)
    other.check_in("P2")
    with other.store.write() as db:
        rewrite_last(db, queue_number="B-001")
    other.sync()
    assert other.last() == (Verdict.APPLIED, Code.OK)
    assert centre.open_cases() == ["duplicate_number"]
    detail = msgspec.json.decode(str(centre.rows("select detail from exceptions")[0]["detail"]))
    assert detail["queue_number"] == "B-001"
    assert detail["queue_ids"] == [centre.journey(each).entries[0].queue_id for each in ("P1", "P2")]


def test_a_second_slip_with_another_patients_number_opens_a_case(centre: Centre, kiosk: Kiosk, other: Kiosk):
    """The second slip is printed last."""
    other.check_in("P1")
    kiosk.check_in("P2")
    other.check_in("P2")
    with other.store.write() as db:
        rewrite_last(db, queue_number="B-001")
    kiosk.sync()
    other.sync()
    assert centre.journey("P2").entries[0].label_aliases == ("B-001",)
    assert centre.open_cases() == ["duplicate_number"]


def test_a_number_printed_twice_on_a_day_that_has_ended_opens_a_case_too(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    kiosk.check_in("P2")
    with kiosk.store.write() as db:
        rewrite_last(db, queue_number="A-001")
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.LATE)
    assert centre.open_cases() == ["duplicate_number"]


def test_case_6_the_verdict_on_a_late_action_names_its_own_visit(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    centre.staff("call_patient", "P1")
    centre.staff("start_exam", "P1")
    kiosk.pull()
    kiosk.act("P1", "complete_exam")
    centre.staff("complete_exam", "P1")
    centre.time.pass_minutes(24 * 60)
    kiosk.sync()
    assert kiosk.last() == (Verdict.MERGED, Code.ALREADY_SO)
    (row,) = centre.rows("select from_state, to_state from verdicts where verdict = 'merged'")
    assert row == {"from_state": "COMPLETED", "to_state": "COMPLETED"}
