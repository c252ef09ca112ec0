"""The line of an exam at both ends: by booking, with a priority, after a move; and what staff alone know of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kiosk.store.patients import count_ahead
from sync.central.centre import Centre as Parts
from sync.central.records.entries import count_ahead as count_at_centre
from sync.central.records.roster_rows import roster_rows
from sync.central.services.answers import Answer
from sync.central.services.change_place import give_priority, move
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.write_note import set_note
from sync.ids import new_id
from sync.journey.line import stands_ms
from sync.journey.model import STAFF, QueueEntry
from tests.sync.central.centre import take_document
from tests.sync.central.wire import Centre, Kiosk

SECRET = "Zebrafink"
NURSE = Requester(STAFF, "staff:Nurse", "rest")


def entry_of(centre: Centre, patient_id: str) -> QueueEntry:
    (entry,) = centre.journey(patient_id).entries
    return entry


Press = Callable[[Parts, Requester, str, ActionRequest], Answer]


def press(centre: Centre, made: Press, action: str, patient_id: str, **payload: object) -> None:
    queue_id = entry_of(centre, patient_id).queue_id
    assert made(centre.parts, NURSE, queue_id, ActionRequest(action, new_id(), payload)).done


def ahead(centre: Centre, kiosk: Kiosk, patient_id: str) -> int:
    """The people before a patient, who are as many at both ends."""
    kiosk.pull()
    entry, day = entry_of(centre, patient_id), centre.journey(patient_id).site_day
    with kiosk.store.read() as db, centre.store.read() as of_centre:
        here = count_ahead(db, entry, day, centre.definitions.in_line)
        assert count_at_centre(of_centre, centre.definitions, day, entry) == here
    return here


def by_booking(centre: Centre) -> None:
    take_document(centre.parts, {"exams": [{"exam_id": "X", "order": "booking"}]})


def test_who_is_booked_earlier_is_ahead_at_both_ends_whoever_came_first(centre: Centre, kiosk: Kiosk):
    by_booking(centre)
    kiosk.pull()
    kiosk.check_in("P2")
    centre.time.pass_minutes(1)
    kiosk.check_in("P1")
    (second,), (first,) = kiosk.view("P2").entries, kiosk.view("P1").entries
    assert stands_ms(first) < stands_ms(second), "the kiosk knows the place before the centre does"
    kiosk.sync()
    assert [entry_of(centre, each).line_ms for each in ("P1", "P2")] == [first.line_ms, second.line_ms]
    assert (ahead(centre, kiosk, "P1"), ahead(centre, kiosk, "P2")) == (0, 1)


def test_a_line_that_is_sorted_by_booking_from_now_on_is_so_at_both_ends(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    centre.time.pass_minutes(1)
    kiosk.check_in("P1")
    kiosk.sync()
    assert (ahead(centre, kiosk, "P1"), ahead(centre, kiosk, "P2")) == (1, 0)
    by_booking(centre)
    assert (ahead(centre, kiosk, "P1"), ahead(centre, kiosk, "P2")) == (0, 1)


def test_a_priority_and_a_place_at_the_end_count_at_both_ends(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    centre.time.pass_minutes(1)
    kiosk.check_in("P2")
    kiosk.sync()
    press(centre, give_priority, "set_priority", "P2", kind="elderly")
    assert (ahead(centre, kiosk, "P1"), ahead(centre, kiosk, "P2")) == (1, 0)
    press(centre, give_priority, "set_priority", "P2", kind="")
    centre.time.pass_minutes(1)
    press(centre, move, "move_entry", "P1", exam_id="X", place="end")
    assert (ahead(centre, kiosk, "P1"), ahead(centre, kiosk, "P2")) == (1, 0)


def test_a_kiosk_shows_the_new_place_of_a_patient_who_was_moved(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P2")
    kiosk.sync()
    press(centre, move, "move_entry", "P2", exam_id="E")
    kiosk.pull()
    (entry,) = kiosk.view("P2").entries
    assert (entry.exam_name, entry.room, entry.moved_from) == ("Cardiology", "2", "Radiology")
    assert [booking.exam_id for booking in kiosk.view("P2").appointments] == ["E"]


def test_no_page_for_a_kiosk_has_a_note_or_why_somebody_goes_first(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    kiosk.sync()
    press(centre, give_priority, "set_priority", "P1", kind="emergency", reason=SECRET)
    press(centre, set_note, "set_note", "P1", text=SECRET)
    with centre.store.read() as db:
        rows = roster_rows(db, centre.definitions, centre.today(), 0, db.latest_change())
    pages = [msgspec.json.encode(each.row) for each in rows if each.row is not None]
    assert any(b"P1" in page for page in pages)
    assert not any(SECRET.encode() in page or b"emergency" in page for page in pages)
