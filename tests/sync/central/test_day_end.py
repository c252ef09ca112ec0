"""The site's day begins at 04:00 local time, and what was open then is closed once, by whoever comes first."""

import pytest

from sync.central.background import Background, close_days
from sync.central.journeys import StaleJourney, open_journey, read_journey, save
from sync.central.opening import open_service
from sync.central.service import closing
from sync.journey.rules import close_day
from tests.sync.central.centre import DAY, Centre, hospital, patient

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
    assert centre.state(ANNA) | {"timestamp": ""} == {
        "journey_state": "UNREGISTERED",
        "queue_details": [],
        "appointments": [],
        "available_actions": ("scan_nfc",),
        "timestamp": "",
    }


def test_a_look_closes_nothing_but_an_action_does_first(centre: Centre):
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
    assert close_days(centre.service, NEXT_DAY) == booked
    assert close_days(centre.service, NEXT_DAY) == 0
    assert centre.do("check")["journey_states"]["UNREGISTERED"] == 20
    assert centre.do("check")["queue_states"]["no_show"] == 1
    assert {row["status"] for row in centre.rows("select distinct status from appointments")} == {"no_show"}


def test_the_sweep_takes_more_patients_than_one_transaction_holds(tmp_path):
    centre = Centre(tmp_path, patients=140)
    centre.clock.set(NEXT_DAY, "05:00")
    assert close_days(centre.service, NEXT_DAY) == 112
    centre.store.close()


def test_bookings_of_every_day_that_was_missed_lapse(centre: Centre):
    centre.clock.set("2026-03-01", "12:00")
    centre.do("import", document={**hospital("2026-03-04", 3), "site": None})
    centre.clock.set("2026-03-09", "12:00")
    centre.walk(ANNA, "scan_nfc")
    assert appointment_states(centre, ANNA) == {"no_show"}


def test_who_is_being_seen_at_the_end_of_the_day_goes_along(centre: Centre):
    centre.walk(ANNA, *TO_WAITING, "call_patient", "start_exam")
    centre.clock.set(NEXT_DAY, "05:00")
    close_days(centre.service, NEXT_DAY)
    assert centre.state(ANNA)["journey_state"] == "IN_PROGRESS"
    assert centre.rows("select site_day, state from entries") == [{"site_day": NEXT_DAY, "state": "in_progress"}]
    assert centre.walk(ANNA, "complete_exam")["journey_state"] == "COMPLETED"
    assert centre.do("check")["ok"]


def test_a_patient_in_an_overnight_exam_is_not_swept_again_and_again(centre: Centre):
    with centre.store.write() as db:
        db.execute("update exams set overnight = 1 where exam_id = 'blood'")
    centre.walk(ANNA, *TO_WAITING)
    centre.clock.set(NEXT_DAY, "05:00")
    close_days(centre.service, NEXT_DAY)
    assert centre.state(ANNA)["queue_details"][0]["state"] == "waiting"
    assert close_days(centre.service, NEXT_DAY) == 0


def test_a_clock_that_goes_back_reopens_nothing(centre: Centre):
    waits_overnight(centre)
    centre.walk(ANNA, "scan_nfc")
    centre.clock.set(DAY, "12:00")
    assert centre.walk(ANNA, "register")["journey_state"] == "REGISTERED"
    assert centre.rows("select site_day from journeys where patient_id = :id", id=ANNA) == [{"site_day": NEXT_DAY}]


def test_who_decides_on_an_older_journey_is_told_so(centre: Centre):
    with centre.store.read() as db:
        old = read_journey(db, centre.service.definitions, ANNA, DAY)
    centre.walk(ANNA, "scan_nfc")
    with pytest.raises(StaleJourney), centre.store.write() as db:
        save(db, old, close_day(centre.service.definitions, old, DAY), closing(0))
    assert centre.state(ANNA)["journey_state"] == "ARRIVED"


def test_nobody_has_no_journey(centre: Centre):
    with centre.store.write() as db:
        assert read_journey(db, centre.service.definitions, "nobody", DAY) is None
        assert open_journey(db, centre.service.definitions, "nobody", DAY, closing(0)) is None


def test_the_background_closes_the_day_by_itself_and_keeps_going_after_a_failure(centre: Centre):
    waits_overnight(centre)
    heard = []
    with centre.store.write() as db:
        db.execute("alter table appointments rename to hidden")
    failing = Background(centre.service, tick_s=0.01)
    failing.start()
    with centre.store.news.listen(ANNA, heard.append):
        after = centre.rows("select max(change) as change from journeys")[0]["change"]
        assert not centre.store.news.wait(after, timeout_s=0.1)
        with centre.store.write() as db:
            db.execute("alter table hidden rename to appointments")
        assert centre.store.news.wait(after, timeout_s=30)
    failing.stop()
    assert centre.rows("select state from journeys where patient_id = :id", id=ANNA) == [{"state": "UNREGISTERED"}]


def test_the_background_waits_for_a_hospital(tmp_path):
    service = open_service(f"sqlite:///{tmp_path}/centre.db")
    idle = Background(service, tick_s=0.01)
    idle.start()
    idle.stop()
    service.store.close()
