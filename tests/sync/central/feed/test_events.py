"""What the feed tells of each thing that happens, and the cursors of its pages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sync.central.feed.reading import NOW, OLDEST, place_of, read_page, write_cursor
from sync.central.maintenance.housekeeping import close_days
from sync.central.maintenance.incarnation import begin_new_incarnation
from sync.central.services.change_entry import change_entry, correct_journey
from sync.central.services.change_place import call_again, give_priority, move
from sync.central.services.errors import ApiError
from sync.central.services.merge import merge_patients
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.take_word import take_word
from sync.central.services.undo_press import undo_press
from sync.central.services.word_bodies import read_word
from sync.ids import new_id
from sync.journey.model import STAFF, VISIT, Actor, Role
from tests.sync.central.centre import DAY, Centre, patient
from tests.sync.central.feed.board import Receiver, shown

ANNA, BORIS = patient(1), patient(2)
NURSE = Requester(STAFF, "staff:Nurse (1a2b)", "rest")


def told(centre: Centre, limit: int = 500) -> list[dict[str, Any]]:
    """All events."""
    return list(Receiver(limit).read(centre.parts).told.values())


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def staff(action_type: str, **payload: object) -> ActionRequest:
    return ActionRequest(action_type, new_id(), payload)


def test_a_visit_is_told_from_the_arrival_to_the_end_of_the_exam(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival", "call_patient", "start_exam", "complete_exam")
    events = told(centre)
    assert types(events) == ["arrived", "number_given", "called", "started", "completed"]
    assert {event["patient_id"] for event in events} == {ANNA}
    arrived, given, called = events[:3]
    assert (arrived["journey_state"], arrived["origin"], arrived["time"]) == ("ARRIVED", "api", f"{DAY}T09:00:00+09:00")
    assert given["entry"] == {
        "queue_id": given["entry"]["queue_id"],
        "exam_id": "blood",
        "appointment_id": f"{DAY}-{ANNA}-blood",
        "queue_number": "C-001",
        "other_numbers": [],
        "room": "1",
        "state": "waiting",
    }
    assert (given["origin"], called["origin"], called["entry"]["state"]) == ("patient", "staff", "called")
    assert {event["visit_id"] for event in events} == {arrived["visit_id"]}


def test_what_no_kiosk_has_done_is_told_of_none(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register")
    assert centre.act(ANNA, "confirm_arrival", VISIT).done
    centre.do("site", decides=["scan_nfc=legacy"])
    word = read_word(
        {
            "word_id": new_id(),
            "patient_id": BORIS,
            "action_type": "scan_nfc",
            "from": "UNREGISTERED",
            "to": "WAITING",
            "entries": [{"exam_id": "blood", "state": "waiting"}],
            "at": centre.clock(),
        }
    )
    assert isinstance(word, ActionRequest)
    assert take_word(centre.parts, Requester(Actor(Role.INTEGRATION), "integration:old (1a2b)", "legacy"), word).done
    found = [(event["patient_id"], event["type"], event["origin"], event["kiosk_id"]) for event in told(centre)]
    assert found == [
        (ANNA, "arrived", "api", None),
        (ANNA, "number_given", "patient", None),
        (BORIS, "arrived", "hospital", None),
        (BORIS, "number_given", "hospital", None),
    ]


def test_a_row_that_was_migrated_with_a_name_of_the_old_system_is_the_hospitals(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival")
    with centre.store.write() as db:
        db.execute("update entry_history set who = 'nurse7'")
    assert [(event["origin"], event["kiosk_id"]) for event in told(centre)][1:] == [("hospital", None)]


def test_a_missed_call_a_return_and_a_cancellation_are_told(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival", "call_patient", "mark_no_show")
    missed = told(centre)[-1]
    queue_id = missed["entry"]["queue_id"]
    change_entry(centre.parts, NURSE, queue_id, staff("change_entry", state="waiting"))
    centre.walk(ANNA, "cancel_appointment")
    *_, back, cancelled = told(centre)
    assert (missed["type"], cancelled["type"]) == ("no_show", "cancelled")
    assert (back["type"], back["corrects"], back["entry"]["state"]) == ("corrected", missed["id"], "waiting")


def test_a_correction_names_the_events_that_no_longer_hold(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival", "call_patient")
    arrived, _, called = told(centre)
    correct_journey(centre.parts, NURSE, ANNA, staff("correct", state="WAITING", reason="called too early"))
    journey, entry = told(centre)[-2:]
    assert types([journey, entry]) == ["corrected", "corrected"]
    assert (journey["corrects"], journey["journey_state"]) == (arrived["id"], "WAITING")
    assert (entry["corrects"], entry["entry"]["state"]) == (called["id"], "waiting")


def test_a_moved_booking_and_an_exam_with_another_room_are_told_as_corrections(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival")
    receiver = Receiver()
    receiver.read(centre.parts)
    centre.take({"exams": [{"exam_id": "blood", "room": "17"}]})
    (moved,) = told(centre)[2:]
    assert (moved["type"], moved["entry"]["room"], moved["origin"]) == ("corrected", "17", "hospital")
    centre.take({"appointments": [{"appointment_id": f"{DAY}-{ANNA}-blood", "exam_id": "xray"}]})
    assert told(centre)[-1]["entry"]["exam_id"] == "xray"
    assert receiver.read(centre.parts).entries == shown(centre.parts)


def test_a_merge_gives_all_that_was_told_of_one_record_to_the_other(centre: Centre):
    centre.walk(BORIS, "scan_nfc", "register", "confirm_arrival")
    receiver = Receiver()
    receiver.read(centre.parts)
    merge_patients(centre.parts, NURSE, ANNA, staff("merge", patient_id=BORIS))
    merged = told(centre)[-1]
    assert (merged["type"], merged["patient_id"], merged["merged_patient_id"]) == ("corrected", ANNA, BORIS)
    assert receiver.read(centre.parts).entries == shown(centre.parts)


def test_the_end_of_a_day_tells_of_those_who_still_waited(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival")
    centre.clock.set("2026-03-03", "05:00")
    close_days(centre.parts, "2026-03-03")
    last = told(centre)[-1]
    assert (last["type"], last["origin"]) == ("no_show", "centre")


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_pages_of_any_size_tell_the_same_events_once_and_in_order(centre: Centre, limit: int):
    for each in (ANNA, BORIS):
        centre.walk(each, "scan_nfc", "register", "confirm_arrival", "call_patient")
    correct_journey(centre.parts, NURSE, ANNA, staff("correct", state="WAITING", reason="called too early"))
    found, after, latest = [], 0, 1
    while after < latest:
        with centre.store.read() as db:
            page = read_page(db, centre.parts, after, limit)
        found += [event.id for event in page.events]
        after, latest = page.until, page.latest
    assert found == [event["id"] for event in told(centre)]


def place(centre: Centre, after: str) -> int | str:
    with centre.store.read() as db:
        found = place_of(db, after)
    return found.code if isinstance(found, ApiError) else found


def test_a_cursor_of_a_restored_database_is_gone_and_the_ids_stay(centre: Centre):
    centre.walk(ANNA, "scan_nfc")
    before = told(centre)
    with centre.store.read() as db:
        cursor = read_page(db, centre.parts, 0, 500).cursor
        latest = db.latest_change()
    assert (place(centre, cursor), place(centre, OLDEST), place(centre, NOW)) == (latest, 0, latest)
    with centre.store.write() as db:
        begin_new_incarnation(db, centre.clock())
    assert place(centre, cursor) == "cursor_gone"
    assert told(centre) == before


def test_a_cursor_ahead_of_the_database_is_gone(centre: Centre):
    with centre.store.read() as db:
        site, latest = read_page(db, centre.parts, 0, 1).site, db.latest_change()
    assert place(centre, write_cursor(site.server_incarnation, latest)) == latest
    assert place(centre, write_cursor(site.server_incarnation, latest + 1)) == "cursor_gone"


@pytest.mark.parametrize("text", ["x", "환자", "bm9uZQ", "", "W10", write_cursor("any", -1)[:-2]])
def test_what_is_no_cursor_is_refused(centre: Centre, text: str):
    assert place(centre, text) == "malformed"


def test_no_event_holds_a_name(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival")
    assert "환자" not in msgspec.json.encode(told(centre)).decode()


def test_one_more_call_is_told_as_a_call_and_a_priority_is_not_told(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival", "call_patient")
    queue_id = told(centre)[-1]["entry"]["queue_id"]
    assert give_priority(centre.parts, NURSE, queue_id, staff("set_priority", kind="elderly")).done
    assert call_again(centre.parts, NURSE, queue_id, staff("call_again")).done
    events = told(centre)
    assert types(events) == ["arrived", "number_given", "called", "called"]
    assert (events[-1]["corrects"], events[-1]["entry"]["state"]) == (None, "called")


def test_a_correction_after_a_priority_corrects_an_event_that_was_told(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival")
    given = told(centre)[-1]
    queue_id, pressed = given["entry"]["queue_id"], new_id()
    ask = ActionRequest("set_priority", pressed, {"kind": "elderly"})
    assert give_priority(centre.parts, NURSE, queue_id, ask).done
    assert undo_press(centre.parts, NURSE, staff("undo_press", undoes=pressed)).done
    back = told(centre)[-1]
    assert (back["type"], back["corrects"], back["entry"]) == ("corrected", given["id"], given["entry"])
    assert give_priority(centre.parts, NURSE, queue_id, staff("set_priority", kind="elderly")).done
    assert move(centre.parts, NURSE, queue_id, staff("move_entry", exam_id="sleep", reason="full")).done
    assert told(centre)[-1]["corrects"] == back["id"]


def test_a_moved_entry_is_told_with_its_new_exam_and_its_booking(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival")
    given = told(centre)[-1]
    ask = staff("move_entry", exam_id="sleep", reason="full")
    assert move(centre.parts, NURSE, given["entry"]["queue_id"], ask).done
    moved = told(centre)[-1]
    assert (moved["type"], moved["corrects"], moved["entry"]["exam_id"]) == ("corrected", given["id"], "sleep")
    assert moved["entry"]["appointment_id"] == f"{DAY}-{ANNA}-blood"


def test_an_undone_call_is_told_as_a_correction_and_an_undo_of_another_entry_leaves_the_journey_alone(centre: Centre):
    centre.walk(ANNA, "scan_nfc", "register", "confirm_arrival")
    called, skipped = new_id(), new_id()
    assert centre.act(ANNA, "call_patient", STAFF, called, room="7").done
    arrived, _, call = told(centre)
    assert undo_press(centre.parts, NURSE, staff("undo_press", undoes=called)).done
    journey, entry = told(centre)[-2:]
    assert types([journey, entry]) == ["corrected", "corrected"]
    assert (journey["corrects"], journey["journey_state"]) == (arrived["id"], "WAITING")
    assert (entry["corrects"], entry["entry"]["state"], entry["entry"]["room"]) == (call["id"], "waiting", "1")
    assert (entry["origin"], journey["origin"]) == ("staff", "staff")
    before = len(told(centre))
    assert centre.act(ANNA, "mark_no_show", STAFF, skipped).done
    assert undo_press(centre.parts, NURSE, staff("undo_press", undoes=skipped)).done
    missed, back = told(centre)[before:]
    assert (missed["type"], back["type"], back["entry"]["state"]) == ("no_show", "corrected", "waiting")
    assert back["journey_state"] is None
