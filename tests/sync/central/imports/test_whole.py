"""The hospital document: imported completely or not at all, and a second time without a change."""

import copy

import pytest

from sync.cards import canonical_tag
from sync.central.imports.parts import Kind
from sync.central.imports.whole import DocumentError, read_hospital
from sync.central.opening import open_centre
from sync.central.records.bindings import bind, binding_of_card
from sync.central.services.demo_hospital import demo_hospital
from sync.ids import new_id
from sync.journey.definitions import read, shipped
from sync.journey.model import STAFF
from tests.sync.central.centre import DAY, Centre, card, hospital, patient, take_document
from tests.sync.central.wire import BY_STAFF

ANNA = patient(1)
TO_WAITING = ("scan_nfc", "register", "confirm_arrival")


@pytest.fixture
def empty(tmp_path):
    parts = open_centre(f"sqlite:///{tmp_path}/centre.db")
    yield parts
    parts.store.close()


def rows(parts, sql):
    with parts.store.read() as db:
        return [dict(row) for row in db.rows(sql)]


def test_a_document_taken_twice_changes_nothing_twice(centre: Centre):
    before = centre.rows("select change from journeys order by patient_id")
    again = centre.take(hospital(DAY, 20))
    assert again == {"exams": 0, "patients": 0, "cards": 0, "appointments": 0}
    assert centre.rows("select change from journeys order by patient_id") == before


def test_a_new_booking_begins_as_the_definitions_say_wherever_its_status_stands_in_their_list(tmp_path):
    statuses = sorted(shipped().appointment_states)
    assert statuses[0] != shipped().fresh_appointment
    service = open_centre(
        f"sqlite:///{tmp_path}/centre.db", definitions=read({**shipped().document, "appointment_states": statuses})
    )
    take_document(service, hospital(DAY, 3))
    assert rows(service, "select distinct status from appointments") == [{"status": "booked"}]
    service.store.close()


def test_what_changed_is_told_to_those_who_follow(centre: Centre):
    document = hospital(DAY, 20)
    document["patients"][0]["name"] = "새이름"
    document["patients"][1]["cards"].append("04bbbbbbbb0001")
    document["appointments"][4]["scheduled_at"] = f"{DAY}T11:00:00+09:00"
    with centre.store.read() as db:
        before = db.latest_change()
    assert centre.take(document) == {"exams": 0, "patients": 1, "cards": 1, "appointments": 1}
    changed = centre.rows("select patient_id from journeys where change > :before order by patient_id", before=before)
    assert [row["patient_id"] for row in changed] == [patient(1), patient(2), patient(3)]
    assert centre.rows("select masked_name from patients where patient_id = :id", id=ANNA) == [{"masked_name": "새*름"}]


def test_another_room_of_an_exam_is_told_to_all_who_are_booked_there_today_or_tomorrow(centre: Centre):
    tomorrow, later = (
        {"appointment_id": each, "patient_id": patient(n), "exam_id": "blood", "scheduled_at": each}
        for n, each in ((5, "2026-03-03"), (10, "2026-03-04"))
    )
    centre.take({"appointments": [tomorrow, later]})
    document = {"exams": [hospital(DAY, 1)["exams"][1] | {"room": "12"}]}
    with centre.store.read() as db:
        before = db.latest_change()
    assert centre.take(document)["exams"] == 1
    changed = centre.rows("select count(*) as n from journeys where change > :before", before=before)
    assert changed == [{"n": 17}]


def test_a_booking_keeps_its_status_when_it_is_moved(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register")
    document = {"appointments": [hospital(DAY, 1)["appointments"][0] | {"scheduled_at": f"{DAY}T12:00"}]}
    centre.take(document)
    first = centre.state(ANNA)["appointments"][-1]
    assert (first["exam_id"], first["scheduled_at"], first["status"]) == ("blood", f"{DAY}T12:00:00+09:00", "arrived")


def moved(centre: Centre, scheduled_at: str) -> str:
    """The status of Anna's first booking after the hospital has given it that time."""
    document = {"appointments": [hospital(DAY, 1)["appointments"][0] | {"scheduled_at": scheduled_at}]}
    assert centre.take(document)["appointments"] == 1
    rows = centre.rows("select status from appointments where appointment_id = :id", id=f"{DAY}-{ANNA}-blood")
    return str(rows[0]["status"])


def test_a_booking_that_lapsed_and_is_moved_to_another_day_is_booked_again(centre: Centre):
    centre.clock.set("2026-03-03", "09:00")
    centre.walk(ANNA, "scan_nfc")
    assert moved(centre, "2026-03-03T12:00") == "booked"
    centre.walk(ANNA, "register", "confirm_arrival")
    assert centre.state(ANNA)["queue_details"][0]["exam_id"] == "blood"


@pytest.mark.parametrize("day", [DAY, "2026-03-04"], ids=["within its day", "to another day"])
def test_a_booking_that_was_cancelled_and_is_given_another_time_is_booked_again(centre: Centre, day: str):
    centre.walk(ANNA, "scan_nfc", "register")
    centre.act(ANNA, "cancel_appointment", STAFF, exam_id="blood")
    assert moved(centre, f"{day}T12:00") == "booked"


def test_a_booking_that_is_done_is_not_begun_anew_within_its_day(centre: Centre):
    centre.walk(ANNA, *TO_WAITING, "call_patient", "start_exam", "complete_exam")
    assert moved(centre, f"{DAY}T12:00") == "completed"


def test_a_card_that_staff_took_away_does_not_come_back_with_the_document(centre: Centre):
    hashes = centre.parts.keys.hashes(canonical_tag(card(1)))
    with centre.store.write() as db:
        bind(db, patient(2), hashes, new_id(), 5, BY_STAFF)
    assert centre.take(hospital(DAY, 20))["cards"] == 0
    with centre.store.read() as db:
        assert binding_of_card(db, hashes).patient_id == patient(2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("site"), "site is missing"),
        (lambda d: d.update(unknown=1), "unknown"),
        (lambda d: d["site"].update(timezone="Mars/Olympus"), "IANA"),
        (lambda d: d["site"].update(timezone="../../etc/passwd"), "IANA"),
        (lambda d: d["site"].update(day_starts_at="4"), "day_starts_at"),
        (lambda d: d["site"].update(day_starts_at="25:00"), "day_starts_at"),
        (lambda d: d["site"].update(desk="nowhere"), "desk"),
        (lambda d: d["site"].update(ticket_prefix="c-1"), "ticket_prefix"),
        (lambda d: d["site"].update(languages=[]), "languages"),
        (lambda d: d["exams"][0].update(minutes=-1), "minutes"),
        (lambda d: d["exams"][0].update(exam_id=""), "exam_id"),
        (lambda d: d["patients"][0].update(patient_id="a\nb"), "patient_id"),
        (lambda d: d["patients"][0].update(cards=["08c0ffee"]), "cannot be bound: it is a phone"),
        (lambda d: d["patients"][0].update(cards=["felica:zz"]), "felica: must be followed"),
        (lambda d: d["patients"][0].update(patient_id="x" * 200), "patient_id"),
        (lambda d: d["patients"][0].update(birth_date="1.1.1970"), "birth_date"),
        (lambda d: d["patients"][0].update(cards=[""]), "P01: card 1"),
        (
            lambda d: d["patients"][0].update(cards=[card(2), card(2)]) or d["patients"][1].update(cards=[card(2)]),
            "belong to other patients: P01",
        ),
        (lambda d: d["appointments"][0].update(patient_id="nobody"), "nobody"),
        (lambda d: d["appointments"][0].update(exam_id="nothing"), "nothing"),
        (lambda d: d["appointments"][0].update(scheduled_at="tomorrow"), "ISO 8601"),
        (lambda d: d["appointments"][0].update(scheduled_at="0001-01-01T00:00"), "2000 to 2999"),
        (lambda d: d["appointments"][1].update(d["appointments"][0] | {"patient_id": "P02"}), "another patient"),
    ],
)
def test_a_document_that_does_not_add_up_is_refused_whole(empty, change, said):
    document = copy.deepcopy(hospital(DAY, 3))
    change(document)
    with pytest.raises(DocumentError, match=said):
        take_document(empty, document)
    for table in ("site", "exams", "patients", "appointments", "audit"):
        assert rows(empty, f"select * from {table}") == []


@pytest.mark.parametrize("document", [None, [], "x", 3, {"patients": {}}])
def test_what_is_no_document_is_refused(document):
    with pytest.raises(DocumentError):
        read_hospital(document)


def test_the_demo_hospital_is_a_document_like_any_other():
    hospital_ = read_hospital(demo_hospital(DAY))
    patients, appointments = hospital_.rows[Kind.PATIENT], hospital_.rows[Kind.APPOINTMENT]
    booked = {each.patient_id for each in appointments}
    assert len(patients) >= 8
    assert len(booked) >= 5
    assert any(sum(a.patient_id == p for a in appointments) == 2 for p in booked)
    assert {each.patient_id for each in patients} - booked
