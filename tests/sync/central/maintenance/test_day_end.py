"""The day's end at 04:00 local time: open journeys, entries and bookings are closed once, by the first request."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sync.central.days.future_days import patients_of_future_days
from sync.central.days.open_journey import open_journey
from sync.central.maintenance.housekeeping import Housekeeping, close_days, correct_all_future_days
from sync.central.opening import open_centre
from sync.central.records.history import day_end
from sync.central.records.journeys import read_journey, save
from sync.central.store.errors import StaleJourney
from sync.journey.day_end import close_day
from sync.journey.definitions import read, shipped
from tests.sync.central.centre import DAY, Centre, Clock, hospital, patient, take_document
from tests.sync.central.hearing import Hearing

ANNA, BEN = patient(1), patient(2)
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")
NEXT_DAY = "2026-03-03"


def waits_overnight(centre: Centre) -> None:
    centre.walk(ANNA, *TO_WAITING)
    centre.clock.set(NEXT_DAY, "04:00")


def appointment_states(centre: Centre, patient_id: str) -> set[str]:
    return {
        row["status"] for row in centre.rows("select status from appointments where patient_id = :id", id=patient_id)
    }


def test_until_four_in_the_morning_it_is_still_the_day_before(centre: Centre):
    centre.walk(ANNA, *TO_WAITING)
    centre.clock.set(NEXT_DAY, "03:59")
    assert centre.state(ANNA)["journey_state"] == "WAITING"
    centre.clock.set(NEXT_DAY, "04:00")
    assert centre.state(ANNA) | {"timestamp": "", "journey_version": 0} == {
        "journey_state": "UNREGISTERED",
        "queue_details": [],
        "appointments": [],
        "available_actions": ("scan_nfc",),
        "timestamp": "",
        "journey_version": 0,
    }


def test_a_read_closes_no_day_and_an_action_closes_it_first(centre: Centre):
    waits_overnight(centre)
    centre.state(ANNA)
    assert centre.rows("select state from journeys where patient_id = :id", id=ANNA) == [{"state": "WAITING"}]
    centre.walk(ANNA, "scan_nfc")
    rows = centre.rows("select from_state, to_state, trigger_type, source, action_id from transitions order by change")
    assert rows[3] == {
        "from_state": "WAITING",
        "to_state": "UNREGISTERED",
        "trigger_type": "system_auto",
        "source": "centre",
        "action_id": None,
    }
    assert rows[4]["to_state"] == "ARRIVED"
    assert centre.rows("select ordinal, site_day from visits order by opened_ms") == [
        {"ordinal": 1, "site_day": DAY},
        {"ordinal": 1, "site_day": NEXT_DAY},
    ]
    assert appointment_states(centre, ANNA) == {"no_show"}
    assert centre.rows("select state from entries") == [{"state": "no_show"}]
    assert centre.do("check")["ok"]


def test_a_refused_action_of_the_new_day_has_closed_the_old_one(centre: Centre):
    waits_overnight(centre)
    assert not centre.act(ANNA, "register").done
    assert centre.rows("select state from journeys where patient_id = :id", id=ANNA) == [{"state": "UNREGISTERED"}]


def test_the_sweep_closes_every_journey_entry_and_booking_once(centre: Centre):
    centre.walk(BEN, "scan_nfc")
    waits_overnight(centre)
    booked = 2 * sum(bool(number % 5) for number in range(1, 21)) // 2
    assert close_days(centre.parts, NEXT_DAY) == booked
    assert close_days(centre.parts, NEXT_DAY) == 0
    assert centre.do("check")["journey_states"]["UNREGISTERED"] == 20
    assert centre.rows("select state from entries") == [{"state": "no_show"}]
    assert {row["status"] for row in centre.rows("select distinct status from appointments")} == {"no_show"}


def test_the_sweep_closes_more_patients_than_one_transaction_holds(tmp_path):
    centre = Centre(tmp_path, patients=140)
    centre.clock.set(NEXT_DAY, "05:00")
    assert close_days(centre.parts, NEXT_DAY) == 112
    centre.store.close()


def test_bookings_of_every_day_that_was_missed_lapse(centre: Centre):
    centre.clock.set("2026-03-01", "12:00")
    centre.take({**hospital("2026-03-04", 3), "site": None})
    centre.clock.set("2026-03-09", "12:00")
    centre.walk(ANNA, "scan_nfc")
    assert appointment_states(centre, ANNA) == {"no_show"}


def test_a_patient_in_an_exam_at_the_days_end_keeps_the_entry(centre: Centre):
    centre.walk(ANNA, *TO_WAITING, "call_patient", "start_exam")
    centre.clock.set(NEXT_DAY, "05:00")
    close_days(centre.parts, NEXT_DAY)
    assert centre.state(ANNA)["journey_state"] == "IN_PROGRESS"
    assert centre.rows("select site_day, state from entries") == [{"site_day": NEXT_DAY, "state": "in_progress"}]
    assert centre.walk(ANNA, "complete_exam")["journey_state"] == "COMPLETED"
    assert centre.do("check")["ok"]


def test_a_patient_in_an_overnight_exam_is_not_swept_again_and_again(centre: Centre):
    with centre.store.write() as db:
        db.execute("update exams set overnight = 1 where exam_id = 'blood'")
    centre.walk(ANNA, *TO_WAITING)
    centre.clock.set(NEXT_DAY, "05:00")
    close_days(centre.parts, NEXT_DAY)
    assert centre.state(ANNA)["queue_details"][0]["state"] == "waiting"
    assert close_days(centre.parts, NEXT_DAY) == 0


def test_a_request_that_waited_through_the_days_end_reopens_nothing(centre: Centre):
    waits_overnight(centre)
    centre.walk(ANNA, "scan_nfc")
    centre.clock.set(NEXT_DAY, "03:59")
    assert centre.walk(ANNA, "register")["journey_state"] == "REGISTERED"
    assert centre.rows("select site_day from journeys where patient_id = :id", id=ANNA) == [{"site_day": NEXT_DAY}]
    assert centre.rows("select code from exceptions") == []
    assert appointment_states(centre, ANNA) == {"no_show"}


# A clock that was ahead: its rows move to today once the clock is right.

AHEAD = "2027-03-05"


def clock_is_ahead_for_a_moment(centre: Centre, *acts: str, day: str = AHEAD) -> None:
    before = centre.clock.now_ms
    centre.clock.set(day, "12:00")
    close_days(centre.parts, day)
    if acts:
        centre.walk(ANNA, *acts)
    centre.clock.now_ms = before


def test_actions_of_a_day_that_has_not_come_are_moved_to_today(centre: Centre):
    clock_is_ahead_for_a_moment(centre, "scan_nfc")
    assert centre.state(ANNA)["journey_state"] == "ARRIVED"
    assert centre.walk(ANNA, "register", "confirm_arrival")["journey_state"] == "WAITING"
    assert centre.rows("select site_day from journeys where patient_id = :id", id=ANNA) == [{"site_day": DAY}]
    assert centre.rows("select site_day, ordinal from visits") == [{"site_day": DAY, "ordinal": 1}]
    assert centre.state(ANNA)["queue_details"][0]["exam_id"] == "blood", "the booking is open again, so not the desk"
    assert centre.do("check")["ok"]


def test_a_visit_of_a_day_that_has_not_come_becomes_a_further_visit_of_today(centre: Centre):
    centre.walk(ANNA, "scan_nfc")
    clock_is_ahead_for_a_moment(centre, "scan_nfc")
    assert correct_all_future_days(centre.parts, DAY) == 16
    assert centre.rows("select site_day, ordinal from visits order by ordinal") == [
        {"site_day": DAY, "ordinal": 1},
        {"site_day": DAY, "ordinal": 2},
    ]


@pytest.mark.parametrize("of_one_day", [False, True])
def test_visits_of_days_that_have_not_come_keep_their_order(centre: Centre, of_one_day: bool):
    for day in (AHEAD, "2027-03-06"):
        clock_is_ahead_for_a_moment(centre, "scan_nfc", day=day)
    if of_one_day:
        with centre.store.write() as db:
            db.execute("update visits set ordinal = 2, site_day = :day where site_day <> :day", {"day": AHEAD})
    before = centre.rows("select visit_id from visits order by site_day, ordinal")
    correct_all_future_days(centre.parts, DAY)
    assert centre.rows("select visit_id, site_day, ordinal from visits order by ordinal") == [
        {**visit, "site_day": DAY, "ordinal": ordinal} for ordinal, visit in enumerate(before, 1)
    ]
    assert len(before) == 2


def test_bookings_that_lapsed_before_their_day_are_open_again_by_an_action_and_by_the_sweep(centre: Centre):
    centre.take({**hospital("2026-03-20", 20), "site": None})
    before = centre.rows("select appointment_id, status from appointments order by appointment_id")
    clock_is_ahead_for_a_moment(centre)
    assert centre.rows("select distinct status from appointments") == [{"status": "no_show"}]
    assert not centre.act(ANNA, "register").done
    assert appointment_states(centre, ANNA) == {"booked"}
    assert correct_all_future_days(centre.parts, DAY) == 15
    assert correct_all_future_days(centre.parts, DAY) == 0
    assert centre.rows("select appointment_id, status from appointments order by appointment_id") == before


def test_bookings_open_again_as_the_definitions_say_wherever_that_status_stands_in_their_list(tmp_path):
    statuses = sorted(shipped().appointment_states)
    definitions = read({**shipped().document, "appointment_states": statuses})
    open_centre(f"sqlite:///{tmp_path}/centre.db", definitions=definitions).store.close()
    centre = Centre(tmp_path)
    assert centre.parts.definitions.appointment_states[0] == "arrived"
    centre.take({**hospital(AHEAD, 20), "site": None})
    with centre.store.read() as db:
        assert patients_of_future_days(db, centre.parts.definitions, DAY) == [], "a future day has only the bookings"
    clock_is_ahead_for_a_moment(centre, "scan_nfc", "register")
    assert correct_all_future_days(centre.parts, DAY) == 16
    assert appointment_states(centre, ANNA) == {"booked"}
    centre.store.close()


@pytest.mark.parametrize("day", [NEXT_DAY, AHEAD])
def test_a_patient_who_did_not_come_stays_so_and_an_ended_entry_opens_a_case(centre: Centre, day: str):
    centre.walk(ANNA, *TO_WAITING, "mark_no_show")
    centre.walk(BEN, *TO_WAITING)
    clock_is_ahead_for_a_moment(centre, day=day)
    correct_all_future_days(centre.parts, DAY)
    assert appointment_states(centre, ANNA) == {"no_show", "booked"}
    rows = centre.rows("select code, patient_id, kiosk_id, detail from exceptions order by patient_id")
    detail = f'{{"journey_state":"WAITING","leg":1,"site_day":"{DAY}"}}'
    assert rows == [
        {"code": "day_ended", "patient_id": patient_id, "kiosk_id": None, "detail": detail}
        for patient_id in (ANNA, BEN)
    ]
    assert {(case["code"], case["patient_id"]) for case in centre.do("exceptions")["exceptions"]} == {
        ("day_ended", ANNA),
        ("day_ended", BEN),
    }
    assert centre.do("check")["ok"]


def test_of_two_visits_that_a_wrong_clock_ended_the_case_names_the_later_one(centre: Centre):
    centre.walk(ANNA, *TO_WAITING)
    clock_is_ahead_for_a_moment(centre)
    correct_all_future_days(centre.parts, DAY)
    centre.walk(ANNA, "scan_nfc")
    (later,) = centre.rows("select visit_id from visits where closed_ms is null")
    clock_is_ahead_for_a_moment(centre)
    correct_all_future_days(centre.parts, DAY)
    rows = centre.rows("select visit_id, detail from exceptions order by exception_id")
    assert rows[1:] == [{**later, "detail": f'{{"journey_state":"ARRIVED","leg":0,"site_day":"{DAY}"}}'}]


def test_the_background_corrects_rows_of_a_wrong_clock_once_it_is_right(centre: Centre):
    heard = []
    clock_is_ahead_for_a_moment(centre)
    ticking = Housekeeping(centre.parts, tick_s=0.01)
    hearing = Hearing(centre.store.news)
    with centre.store.news.listen(ANNA, heard.append):
        after = centre.rows("select max(change) as change from journeys")[0]["change"]
        ticking.start()
        assert hearing.wait(after, timeout_s=30)
    ticking.stop()
    assert appointment_states(centre, ANNA) == {"booked"}


def test_a_decision_on_an_older_journey_is_refused_as_stale(centre: Centre):
    with centre.store.read() as db:
        old = read_journey(db, centre.parts.definitions, ANNA, DAY)
    centre.walk(ANNA, "scan_nfc")
    with pytest.raises(StaleJourney), centre.store.write() as db:
        save(db, old, close_day(centre.parts.definitions, old, DAY), day_end(0))
    assert centre.state(ANNA)["journey_state"] == "ARRIVED"


def test_an_unknown_patient_has_no_journey(centre: Centre):
    with centre.store.write() as db:
        assert read_journey(db, centre.parts.definitions, "nobody", DAY) is None
        assert open_journey(db, centre.parts.definitions, "nobody", DAY, day_end(0)) is None


def test_the_background_closes_the_day_by_itself_and_keeps_going_after_a_failure(centre: Centre):
    waits_overnight(centre)
    heard = []
    with centre.store.write() as db:
        db.execute("alter table appointments rename to hidden")
    failing = Housekeeping(centre.parts, tick_s=0.01)
    failing.start()
    hearing = Hearing(centre.store.news)
    with centre.store.news.listen(ANNA, heard.append):
        after = centre.rows("select max(change) as change from journeys")[0]["change"]
        assert not hearing.wait(after, timeout_s=0.1)
        with centre.store.write() as db:
            db.execute("alter table hidden rename to appointments")
        assert hearing.wait(after, timeout_s=30)
    failing.stop()
    assert centre.rows("select state from journeys where patient_id = :id", id=ANNA) == [{"state": "UNREGISTERED"}]


def test_housekeeping_waits_for_a_hospital_and_takes_care_of_it(tmp_path, caplog):
    clock = Clock()
    parts = replace(open_centre(f"sqlite:///{tmp_path}/centre.db"), clock=clock)
    waiting, hearing = Housekeeping(parts, tick_s=0.01), Hearing(parts.store.news)
    waiting.start()
    take_document(parts, hospital(DAY, 1))
    clock.set(NEXT_DAY, "05:00")
    with parts.store.read() as db:
        after = db.latest_change()
    assert hearing.wait(after, timeout_s=30)
    waiting.stop()
    with parts.store.read() as db:
        assert {row["status"] for row in db.rows("select status from appointments")} == {"no_show"}
    assert caplog.records == []
    parts.store.close()


# A large centre: a walk over every patient for each portion would grow with the square of their number.


def day_ends(centre: Centre) -> int:
    return close_days(centre.parts, NEXT_DAY)


def clock_is_right_again(centre: Centre) -> int:
    return correct_all_future_days(centre.parts, DAY)


@pytest.mark.parametrize("patients", [140, 420])
@pytest.mark.parametrize("work", [day_ends, clock_is_right_again])
def test_however_many_patients_there_are_all_of_them_are_walked_over_twice(tmp_path: Path, patients: int, work):
    """One walk finds them all, and one finds that none is left."""
    centre = Centre(tmp_path, patients=patients)
    if work is clock_is_right_again:
        clock_is_ahead_for_a_moment(centre)
    statements: list[str] = []
    for transaction in (centre.store.read, centre.store.write):
        with transaction() as db:
            db.execute.__self__.set_trace_callback(statements.append)
    assert work(centre) == patients * 4 // 5, "each fifth patient has no booking"
    about_everybody = [each for each in statements if IS_WALK.search(each)]
    assert len(about_everybody) == 2
    centre.store.close()


IS_WALK = re.compile(r"from (journeys|appointments)( \w)? where (\w\.)?site_day [<>]")


def test_a_stop_does_not_wait_for_every_patient(tmp_path: Path):
    centre = Centre(tmp_path, patients=420)
    heard: list[object] = []
    with centre.store.news.listen(ANNA, heard.append):
        assert close_days(centre.parts, NEXT_DAY, lambda: bool(heard)) == 100
    assert close_days(centre.parts, NEXT_DAY) == 420 * 4 // 5 - 100
    centre.store.close()


def test_a_patient_whom_an_action_corrected_meanwhile_gets_no_second_case(tmp_path: Path):
    centre = Centre(tmp_path, patients=140)
    late = patient(99)  # the last in the order of ids, so in the second transaction
    centre.walk(late, *TO_WAITING)
    clock_is_ahead_for_a_moment(centre)
    with centre.store.news.listen(ANNA, lambda _: centre.act(late, "register")):
        assert correct_all_future_days(centre.parts, DAY) == 112
    assert len(centre.rows("select 1 from exceptions")) == 1
    centre.store.close()
