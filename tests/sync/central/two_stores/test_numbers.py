"""Queue numbers over the end of a day: a kiosk gives none that somebody still holds, with a network and without."""

from __future__ import annotations

import pytest

from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.maintenance.housekeeping import close_days
from sync.central.records.site import read_site
from sync.clock import local_ms
from sync.journey.model import Journey
from tests.sync.central.wire import DAY, ZONE, Centre, Kiosk

NEXT_DAY = "2026-03-03"


@pytest.fixture
def booked(centre: Centre, kiosk: Kiosk) -> None:
    """P3 is booked for an overnight exam of today, the others for tomorrow."""
    document = {
        "exams": [{"exam_id": "S", "title": "Sleep", "public_label": "Sleep", "room": "9", "overnight": True}],
        "appointments": [
            {"appointment_id": "A9", "patient_id": "P3", "exam_id": "S", "scheduled_at": f"{DAY}T20:00"},
            {"appointment_id": "B1", "patient_id": "P1", "exam_id": "X", "scheduled_at": f"{NEXT_DAY}T10:00"},
            {"appointment_id": "B2", "patient_id": "P2", "exam_id": "X", "scheduled_at": f"{NEXT_DAY}T10:00"},
        ],
    }
    with centre.store.write() as db:
        take_hospital(db, centre.definitions, centre.parts.keys, read_hospital(document), centre.time())
    kiosk.pull()


@pytest.fixture
def waiting(centre: Centre, kiosk: Kiosk, booked: None) -> str:
    """The number of P3, who waits overnight, as the kiosk printed it."""
    kiosk.check_in("P3")
    kiosk.sync()
    number = centre.journey("P3").entries[0].queue_number
    assert number == "A-001"
    return number


def morning(centre: Centre, time_of_day: str = "09:00", *, is_closed: bool = True) -> None:
    """The night passes; the centre has closed the day, or is about to."""
    centre.time.now_ms = local_ms(NEXT_DAY, time_of_day, ZONE)
    if is_closed:
        with centre.store.read() as db:
            today = read_site(db).day(centre.time())
        close_days(centre.parts, today)


def printed(kiosk: Kiosk, patient_id: str) -> str:
    """Checks a patient in, and returns the number on the slip."""
    kiosk.check_in(patient_id)
    return last_number(kiosk.view(patient_id))


def last_number(journey: Journey) -> str:
    return journey.entries[-1].queue_number


@pytest.mark.parametrize("is_closed", [True, False], ids=["the day was closed", "the day is not closed yet"])
def test_a_kiosk_skips_a_number_that_waits_overnight(centre: Centre, kiosk: Kiosk, waiting: str, is_closed: bool):
    morning(centre, is_closed=is_closed)
    kiosk.sync()
    assert printed(kiosk, "P1") == "A-002"
    kiosk.sync()
    assert (last_number(centre.journey("P1")), last_number(centre.journey("P3"))) == ("A-002", waiting)
    assert centre.open_cases() == []


def test_a_kiosk_without_a_network_goes_on_with_the_count_of_the_day_before(centre: Centre, kiosk: Kiosk, waiting: str):
    assert printed(kiosk, "P2") == "A-002"
    morning(centre)
    assert printed(kiosk, "P1") == "A-003"
    kiosk.sync()
    assert printed(kiosk, "P2") == "A-004"
    kiosk.sync()
    assert centre.open_cases() == []


def test_a_kiosk_does_not_give_the_number_of_an_overnight_patient_who_has_left_meanwhile(
    centre: Centre, kiosk: Kiosk, waiting: str
):
    morning(centre, "05:00")
    kiosk.sync()
    for action in ("call_patient", "start_exam", "complete_exam", "make_payment", "make_payment", "leave_hospital"):
        assert centre.staff(action, "P3").done
    kiosk.sync()
    centre.time.now_ms = local_ms(NEXT_DAY, "23:00", ZONE)
    assert printed(kiosk, "P1") == "A-002"
    kiosk.sync()
    assert centre.open_cases() == []


def test_a_kiosk_knows_the_number_of_a_live_entry_whose_visit_has_ended(centre: Centre, kiosk: Kiosk, waiting: str):
    """The journey followed another entry of the patient, so the end of the day ended the visit."""
    with centre.store.write() as db:
        db.execute("update journeys set current_queue_id = null, state = 'REGISTERED' where patient_id = 'P3'")
    morning(centre)
    assert (centre.journey("P3").visit_id, last_number(centre.journey("P3"))) == (None, waiting)
    kiosk.sync()
    assert printed(kiosk, "P1") == "A-002"


def test_a_number_whose_action_the_centre_has_not_judged_is_not_given_again(
    centre: Centre, kiosk: Kiosk, other: Kiosk, booked: None
):
    """It becomes a second number of the entry that another kiosk has opened, and that still waits."""
    other.pull()
    for each in (kiosk, other):
        each.check_in("P3")
    other.sync()
    morning(centre)
    kiosk.pull()
    assert last_number(kiosk.view("P3")) == "B-001", "its own slip says A-001"
    assert printed(kiosk, "P1") == "A-002"
    kiosk.sync()
    assert centre.journey("P3").entries[0].label_aliases == ("A-001",)
    assert centre.open_cases() == []


def test_the_day_after_a_quiet_night_begins_at_one(centre: Centre, kiosk: Kiosk, booked: None):
    assert printed(kiosk, "P2") == "A-001"
    kiosk.sync()
    morning(centre)
    kiosk.sync()
    assert printed(kiosk, "P1") == "A-001"
    kiosk.sync()
    assert centre.open_cases() == []


def test_a_number_of_yesterday_that_arrives_late_is_no_double_of_todays(centre: Centre, kiosk: Kiosk, booked: None):
    assert printed(kiosk, "P2") == "A-001"
    morning(centre)
    kiosk.pull()
    with kiosk.store.write() as db:
        db.execute("delete from number_uses")
    assert printed(kiosk, "P1") == "A-001"
    kiosk.sync()
    assert centre.open_cases() == []


def test_a_kiosk_whose_numbers_were_set_back_is_reported_where_two_live_entries_bear_one(
    centre: Centre, kiosk: Kiosk, waiting: str
):
    morning(centre)
    kiosk.sync()
    with kiosk.store.write() as db:
        db.execute("delete from number_uses")
    assert printed(kiosk, "P1") == waiting
    kiosk.sync()
    assert centre.open_cases() == ["duplicate_number"]
